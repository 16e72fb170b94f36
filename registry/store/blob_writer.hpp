#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/atomic_file.hpp"
#include "base/write_behind.hpp"
#include "registry/oci/digest.hpp"

namespace kiln {

class ContentStore;

// A blob on its way into the store. Bytes go to a file below tmp/, hashed as they come; commit() publishes it
// under its digest. Dropped without commit it leaves nothing. For one thread at a time; the store must live longer.
class BlobWriter {
 public:
  explicit BlobWriter(ContentStore& store, WriteBehind::Pages pages = WriteBehind::Pages::keep);
  BlobWriter(BlobWriter&&) noexcept;
  BlobWriter& operator=(BlobWriter&&) noexcept;
  ~BlobWriter();

  void write(std::string_view bytes);
  std::uint64_t size() const noexcept;

  // Publishes the blob (nothing is written twice: an existing one wins) and adds it to the process's lease.
  // With `expected`, Error{network} where the bytes have another digest; nothing is published then.
  // Durability::ephemeral leaves the fsync to ContentStore::sync(), which must run before the blob is named by
  // an index.json, a step record or a tag.
  oci::Digest commit(const std::optional<oci::Digest>& expected = {}, Durability durability = Durability::durable);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kiln
