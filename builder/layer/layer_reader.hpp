#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "base/thread_pool.hpp"
#include "builder/layer/byte_source.hpp"
#include "builder/layer/file_entry.hpp"
#include "builder/layer/file_index.hpp"
#include "builder/layer/layer.hpp"

namespace kiln {

// Bounds for a tar that may be hostile.
struct TarLimits {
  std::uint64_t max_entries = 5'000'000;
  std::uint64_t max_file_bytes = std::uint64_t{1} << 40;
  std::uint64_t max_total_bytes = std::uint64_t{1} << 41;   // of all files, sparse ones at full length
  std::uint64_t max_header_bytes = std::uint64_t{1} << 20;  // of one entry's pax and GNU long-name records
  std::uint64_t max_xattr_bytes = 64 << 10;                 // of one value, as the kernel has it
};

// How a tar's names are taken.
enum class Whiteouts {
  recognise,  // a layer: ".wh.x" is a whiteout entry of x, ".wh..wh..opq" an opaque marker
  ordinary,   // any other archive: they are names like others
};

// Where the data of a tar's file lies in the tar, so that it can be read again.
struct TarExtent {
  std::uint64_t tar_offset = 0;
  std::uint64_t file_offset = 0;  // a sparse file has several, with zeros between them
  std::uint64_t bytes = 0;
};

// Reads any tar stream (v7, ustar, GNU with long names, base-256 numbers and sparse files, pax): entries in tar order,
// names as bytes, whatever their encoding. For one thread at a time. All errors are Error{build} naming `name`: cut or
// damaged headers, names that canonical_entry_path() refuses, limits exceeded.
//
// Entry types nobody can make (volume labels, GNU dumpdirs) are passed over; unknown ones are refused.
class TarReader {
 public:
  TarReader(ByteSource& tar, std::string name, Whiteouts whiteouts, TarLimits limits = {});
  ~TarReader();

  // The next entry, or nullptr at the end, where trailing bytes of the stream have been read to their end too. The
  // entry is the reader's until the next call. What is left of the one before is passed over. `content` is empty.
  const FileEntry* next();
  // Data of the current file, zeros of a sparse one included; 0 at its end.
  std::size_t read(void* buffer, std::size_t size);
  // Of the current file.
  const std::vector<TarExtent>& extents() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// What indexing a layer's blob established.
struct IndexedLayer {
  oci::Digest diff_id;
  std::uint64_t uncompressed_bytes = 0;
  oci::Descriptor index;
};

// Reads a layer blob that is in the store, verifies it (its digest; with `expected_diff_id` that too, Error{network}
// with both values otherwise), writes its file index and records index_of_layer() and blob_info(). An entry that a
// later one of the same path replaces is left out, as unpacking would do. An index the store already has is used again,
// once the blob is known to hold that diff ID. `listener` is told the layer's tar: all uncompressed_bytes of it where
// the blob was read, nothing where an index was used again.
IndexedLayer index_layer(ContentStore& store, ThreadPool& pool, const oci::Descriptor& blob,
                         const std::optional<oci::Digest>& expected_diff_id, const CancelToken& cancel = {},
                         const TarListener& listener = {});

// The plain tar of a layer blob in the store; verified against the blob's digest at its end. In parallel where the
// index knows the blob's frames (`index` may be null).
std::unique_ptr<ByteSource> open_layer_tar(const ContentStore& store, ThreadPool& pool, const oci::Descriptor& blob,
                                           const FileIndex* index);

}  // namespace kiln
