#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/cancel.hpp"
#include "base/thread_pool.hpp"
#include "builder/layer/byte_source.hpp"
#include "builder/layer/file_index.hpp"
#include "builder/layer/layer.hpp"

namespace kiln {

// What indexing a layer's blob established.
struct IndexedLayer {
  oci::Digest diff_id;
  std::uint64_t unpacked_bytes = 0;
  oci::Descriptor index;
};

// Reads a layer blob that is in the store, verifies it (its digest; with `expected_diff_id` that too, Error{network}
// with both values otherwise), writes its file index and records index_of_layer() and blob_info(). An entry that a
// later one of the same path replaces is left out, as unpacking would do. An index the store already has is used again,
// once the blob is known to hold that diff ID. `listener` is told the layer's tar: all unpacked_bytes of it where
// the blob was read, nothing where an index was used again.
IndexedLayer index_layer(ContentStore& store, ThreadPool& pool, const oci::Descriptor& blob,
                         const std::optional<oci::Digest>& expected_diff_id, const CancelToken& cancel = {},
                         const TarListener& listener = {});

// Reads a layer blob that is in the store and returns its index as its tar has it, with no blob's frames; nothing is
// noted. By `frames` (may be null) of an index it is inflated in parallel: what they lead to is what is read.
FileIndex read_layer(const ContentStore& store, ThreadPool& pool, const oci::Descriptor& blob, const FileIndex* frames,
                     const CancelToken& cancel = {}, const TarListener& listener = {});

// The plain tar of a layer blob in the store; verified against the blob's digest at its end. In parallel where the
// index knows the blob's frames (`index` may be null).
std::unique_ptr<ByteSource> open_layer_tar(const ContentStore& store, ThreadPool& pool, const oci::Descriptor& blob,
                                           const FileIndex* index);

}  // namespace kiln
