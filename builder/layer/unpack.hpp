#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.hpp"
#include "base/file.hpp"
#include "builder/layer/byte_source.hpp"
#include "builder/layer/layer_reader.hpp"
#include "builder/layer/merged_view.hpp"

namespace kiln {

// Which extended attributes overlayfs reads: trusted.overlay.* as root, user.overlay.* for mounts with `userxattr`.
enum class OverlayXattrs { trusted, user };
// The one that says of a folder that nothing of the lower layers shows in it; its value is "y".
constexpr const char* name_of_opaque_xattr(OverlayXattrs xattrs) {
  return xattrs == OverlayXattrs::trusted ? "trusted.overlay.opaque" : "user.overlay.opaque";
}

enum class UnpackTo {
  overlay_lower,  // whiteouts become 0:0 character devices, opaque folders get overlay's attribute
  plain_tree,     // a root file system by itself: whiteouts remove what is there (the lower layers, unpacked before)
};

// What lies below the layer that is unpacked: its view, and each of its layers' folders (from the bottom; as many as
// the view has layers, or none). For parents that the layer does not name and for hard links into lower layers, which
// need the folders.
struct LowerLayers {
  MergedView view;
  std::vector<fs::path> folders;
};

struct UnpackOptions {
  UnpackTo to = UnpackTo::overlay_lower;
  OverlayXattrs overlay_xattrs = OverlayXattrs::trusted;
  // A layer's; the names of anything else are what they are.
  Whiteouts whiteouts = Whiteouts::recognise;
  // False where the process may not give files away (no root, no user namespace): everything is owned by it.
  bool ownership = true;
  // False where device nodes cannot be made (a user namespace): they are left out, and counted. A container's /dev is
  // the runtime's own anyway.
  bool devices = true;
};

struct UnpackResult {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  std::uint64_t devices_left_out = 0;
};

// Unpacks a layer's tar into a folder that exists (and, for overlay_lower, is empty). Nothing outside the folder is
// ever touched, whatever the names and links in the tar say: every step is relative to descriptors and follows no
// symlink. Owners, modes, xattrs and times are set, the folders' times last; nothing is fsync'ed. What a later entry of
// the same path says replaces the earlier. A parent that no entry names takes the lower layers' owner, mode and xattrs
// (the folder itself too, for overlay_lower); a hard link to a file that only lower layers have becomes a copy of it.
//
// With a pool its threads make the files. Error{build} naming `name` for a tar that cannot be; Error{machine} for what
// the file system refuses.
UnpackResult unpack_tar(ByteSource& tar, std::string_view name, const fs::path& folder, const LowerLayers& lower,
                        const UnpackOptions& options, const CancelToken& cancel = {}, ThreadPool* pool = nullptr);

// The same for a layer blob of the store, inflated in parallel where `index` (may be null) knows its frames.
UnpackResult unpack_layer(const ContentStore& store, ThreadPool& pool, const oci::Descriptor& blob,
                          const FileIndex* index, const fs::path& folder, const LowerLayers& lower,
                          const UnpackOptions& options, const CancelToken& cancel = {});

}  // namespace kiln
