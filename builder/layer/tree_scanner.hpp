#pragma once

#include <sys/stat.h>

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "base/cancel.hpp"
#include "base/file.hpp"
#include "base/thread_pool.hpp"
#include "builder/layer/file_entry.hpp"
#include "builder/layer/merged_view.hpp"
#include "builder/layer/stat_cache.hpp"
#include "builder/layer/unpack.hpp"

namespace kiln {

// What a caller says about a name that a scan meets.
enum class ScanVerdict {
  include,
  exclude,     // and whatever is below
  look_below,  // a folder that is left out, but for what is included below it; then it comes along as a parent
};

struct ScanOptions {
  // Asked for every name below the root, folders before what they hold, from many threads at once; all are included
  // where it is empty. The path is canonical.
  std::function<ScanVerdict(std::string_view path, bool is_directory)> verdict;
  // Extended attributes are read: file capabilities and user.*. All others belong to the machine.
  bool xattrs = true;
  // Returns what is known of a file: its digest, and that there are no extended attributes to ask for. May be null.
  const StatCache* known = nullptr;
  // Somebody may be at work in the folder: what vanishes meanwhile is left out, and a folder that may not be read, or
  // lies too deep, is kept without what it holds.
  bool is_living = false;
  enum class Sockets { leave_out, as_empty_files };
  Sockets sockets = Sockets::leave_out;  // a build context's sockets become empty files, as docker sends them
};

// What was found: entries in entry order, their `content` empty where it was not known, and what is beside each one.
struct ScannedTree {
  std::vector<FileEntry> entries;
  std::vector<FileStamp> stamps;      // of the same length
  std::vector<bool> has_other_names;  // so is this: a file with more than one link
  bool has_xattrs = false;            // extended attributes were asked for
  // Folders of a living tree whose contents are not known, in entry order: what keeps them from being read (an errno)
  // is that they may not be, or that paths in them are longer than a layer's may be.
  struct Unreadable {
    std::string path;
    int error = 0;
  };
  std::vector<Unreadable> unreadable;
};

// The functions below share work among the pool's threads and must not be called from a job of the same pool.

// Lists a folder (not the folder itself), such as a build context. Names are read through folder descriptors and no
// symlink is followed; a second name of one inode is an entry of its own, as in a context that was sent. Error{machine}
// for what cannot be read, Error{build} where a name vanishes underway; but see is_living.
ScannedTree scan_tree(const fs::path& root, const ScanOptions& options, ThreadPool& pool,
                      const CancelToken& cancel = {});

// Lists the upper folder of an overlay that is unmounted, as the entries of a layer: 0:0 devices are whiteouts, opaque
// folders have their marker, a second name of one inode is a hard link to the first in entry order. The root's own
// entry is left out. `lower` is what the overlay was mounted on: overlayfs marks every new folder as opaque, and only
// what hides something of the lower layers becomes a mark of the layer. Error{build} where the files come to more than
// kMaxLayerFileBytes.
ScannedTree scan_upper(const fs::path& upper, OverlayXattrs xattrs, const MergedView& lower, ThreadPool& pool,
                       const CancelToken& cancel = {});

// Opens a file of a scanned tree for reading: relative to the root, no symlink followed on the way. Error{build} where
// it is no longer there.
Fd open_scanned(const Fd& root, const std::string& path);

// What tells an open file from another version of it; nullopt for what is no regular file.
std::optional<FileStamp> stamp_of_file(const Fd& file, const std::string& shown);
FileStamp stamp_of(const struct ::stat& status);

}  // namespace kiln
