#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/file.hpp"
#include "registry/oci/digest.hpp"

namespace kiln {

// What tells that a file is still the one that was hashed.
struct FileStamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;

  bool operator==(const FileStamp&) const = default;
};

// What the file with a stamp is known to hold. New attributes change the stamp too, by its ctime.
struct KnownFile {
  oci::Digest content;
  bool has_no_xattrs = false;  // none that a layer takes; false also where it was not looked for

  bool operator==(const KnownFile&) const = default;
};

// The digests of files on disk, so that an unchanged file is not read again. A file is remembered only where its
// times were more than two seconds old when it was hashed: a file written again within one tick of the clock keeps its
// stamp.
//
// The file, version 2: a header (magic "kilnstat", u32 version, u32 record bytes, u64 sorted count, u64 xxh64 of
// these), then records of 88 bytes in the machine's byte order: five u64 of the stamp, 32 bytes of sha256, u64 of flags
// (1: no extended attributes), u64 xxh64 of the 80 before. The first `sorted count` are in order of (device, inode) and
// found by bisection, which reads the parts of the file that it meets; what is behind them was appended by later
// processes, and is folded in when it gets long. A record whose checksum is wrong, or that cannot be read, does not
// count; a file with another header is begun anew. Many processes share it: appending and folding happen under a lock,
// readers need none.
//
// Thread-safe.
class StatCache {
 public:
  // `file` need not exist; `lock` is the file whose flock guards it.
  StatCache(fs::path file, fs::path lock);
  ~StatCache();
  StatCache(const StatCache&) = delete;
  StatCache& operator=(const StatCache&) = delete;

  std::optional<KnownFile> find(const FileStamp& stamp) const;
  // `hashed_at_ns`: the wall clock before the file was read.
  void remember(const FileStamp& stamp, const KnownFile& file, std::int64_t hashed_at_ns);

  // Writes what was remembered. Error{machine}; the destructor tries too, and keeps quiet.
  void flush();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kiln
