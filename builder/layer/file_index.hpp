#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "builder/layer/compression.hpp"
#include "builder/layer/file_entry.hpp"
#include "registry/oci/descriptor.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

inline constexpr char kFileIndexMediaType[] = "application/vnd.kiln.file-index.v1+zstd";

// Files that an index keeps whole, so that questions about users and the system are answered without the layer.
inline constexpr std::string_view kKeptFiles[] = {"etc/passwd", "etc/group", "etc/os-release", "usr/lib/os-release"};
inline constexpr std::uint64_t kMaxKeptFileBytes = std::uint64_t{1} << 20;
bool is_kept_file(std::string_view path);

// What a layer holds, in entry order (see entry_before): every entry, the frames of its blobs, and a few small files.
// Immutable, so it may be used from any thread; share it by shared_ptr<const FileIndex>.
//
// Invariants: paths are canonical and strictly ascending (an opaque marker follows its folder's entry); a whiteout
// never shares its path with another entry (a folder that replaces one is opaque instead).
//
// As a blob (kFileIndexMediaType) it is one zstd frame of this text, version 2. Integers are decimal without leading
// zeros, a string is its length, ':' and its bytes, so that names need no escaping; everything stands in the order
// given.
//
//   index   = "kiln file index 2\n" diff blobs kept entries
//   diff    = "diff " DIGEST SP uncompressed-bytes LF              the layer, and the size of its tar
//   blobs   = "blobs " count LF blob*                              sorted by digest
//   blob    = DIGEST SP count LF frame*                            frames add up to the tar; 0 frames: not known
//   frame   = compressed-bytes SP uncompressed-bytes LF
//   kept    = "kept " count LF ( string string LF )*               path, content; sorted by path
//   entries = "entries " count LF entry*
//   entry   = letter SP string(path) SP mode(octal) SP uid SP gid SP size SP mtime
//             SP string(link) SP content SP major SP minor SP xattr-count ( SP string SP string )* LF
//   content = 64 hex digits of sha256 | "-"
//
// mtime alone may begin with '-'. In version 1, read too, each frame of a gzip blob is a whole gzip member of its own.
class FileIndex {
 public:
  struct BlobFrames {
    oci::Digest blob;
    std::vector<Frame> frames;
    bool operator==(const BlobFrames&) const = default;
  };
  struct Parts {
    oci::Digest diff_id;
    std::uint64_t unpacked_bytes = 0;
    std::vector<BlobFrames> blobs;
    std::map<std::string, std::string> kept;
    std::vector<FileEntry> entries;  // in any order
  };

  FileIndex() = default;
  // Sorts. Error{build} for parts that break an invariant.
  explicit FileIndex(Parts parts);

  // The blob's bytes and back. parse() takes them from anybody: Error{network} naming `where` for what is not exactly
  // such an index, or would take more than 2 GiB.
  std::string serialise() const;
  static FileIndex parse(std::string_view blob, std::string_view where);

  const oci::Digest& diff_id() const noexcept { return parts_.diff_id; }
  std::uint64_t unpacked_bytes() const noexcept { return parts_.unpacked_bytes; }
  const std::vector<FileEntry>& entries() const noexcept { return parts_.entries; }
  // nullptr where the blob is not named.
  const std::vector<Frame>* frames_of(const oci::Digest& blob) const;
  // nullptr where the layer has no such file, or it was too large to be kept.
  const std::string* kept_file(std::string_view path) const;

  // The entry of a path, whiteouts included, opaque markers not; nullptr where there is none.
  const FileEntry* find(std::string_view path) const;
  bool is_opaque(std::string_view folder) const;

  // The same index with one more blob of the layer in it.
  FileIndex with_blob(BlobFrames blob) const;

  bool operator==(const FileIndex& other) const;

 private:
  Parts parts_;
};

// Puts the index into the store (ephemeral: the caller syncs) and makes it the layer's index_of_layer().
oci::Descriptor store_index(ContentStore& store, const FileIndex& index);

// Reads indexes from the store, each once, and shares them. For any thread.
class IndexCache {
 public:
  explicit IndexCache(const ContentStore& store) : store_(store) {}

  // Error{machine} or Error{network} where the blob is missing, damaged or no index.
  std::shared_ptr<const FileIndex> load(const oci::Descriptor& index);
  // By diff ID, through the store's index_of_layer(); nullptr where the store has no index of that layer.
  std::shared_ptr<const FileIndex> find(const oci::Digest& diff_id);

 private:
  const ContentStore& store_;
  std::mutex mutex_;
  std::unordered_map<oci::Digest, std::shared_ptr<const FileIndex>> loaded_;
};

}  // namespace kiln
