#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/cancel.hpp"
#include "base/thread_pool.hpp"
#include "registry/oci/descriptor.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

// What a record, maybe another machine's, says that a layer's blob holds.
struct StatedLayer {
  oci::Digest diff_id;
  std::uint64_t unpacked_bytes = 0;  // 0: it does not say
  std::optional<oci::Descriptor> index;
};

// Compares it with a blob that is in the store: diff ID, bytes, and of a file index that is in the store too every
// entry, the files that it keeps and the frames that it names. Returns what is false, "" for nothing.
//
// A blob that this store read or wrote before is not read again where its index is the one that is stated. One that is
// read gets its blob_info() and index_of_layer(), as index_layer() sets them, whatever was stated.
std::string false_statement(ContentStore& store, ThreadPool& pool, const oci::Descriptor& blob,
                            const StatedLayer& stated, const CancelToken& cancel = {});

}  // namespace kiln
