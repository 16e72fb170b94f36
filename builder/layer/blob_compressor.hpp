#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/layer/block_joiner.hpp"
#include "builder/layer/compression.hpp"
#include "builder/layer/ordered_jobs.hpp"
#include "registry/oci/descriptor.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

// Tar bytes -> diff ID -> blocks, compressed in the pool -> blob in the store. Holds at most a few blocks per thread.
class BlobCompressor {
 public:
  BlobCompressor(ContentStore& store, ThreadPool& pool, const Compression& compression);

  void write(std::string_view tar_bytes);
  std::uint64_t bytes_in() const noexcept { return bytes_in_; }

  // No more comes. The digest of all that came; blocks may still be in compression.
  oci::Digest finish_input();

  struct Result {
    oci::Descriptor blob;
    std::vector<Frame> frames;  // none for an uncompressed blob
  };
  // After finish_input(). Waits for the last blocks and commits the blob (ephemeral).
  Result finish();

 private:
  void end_block();
  void write_oldest();

  BlobWriter blob_;
  Compression compression_;
  std::shared_ptr<BlockCompressor> blocks_;  // jobs share it
  oci::Sha256 hash_;
  std::uint64_t bytes_in_ = 0;
  std::string block_;
  std::vector<Frame> frames_;  // of all blocks; compressed_bytes are set as they are written
  std::size_t frames_written_ = 0;
  BlockJoiner joiner_;
  OrderedJobs<CompressedBlock> jobs_;
};

}  // namespace kiln
