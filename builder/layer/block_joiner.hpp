#pragma once

#include <cstdint>
#include <string>

#include "builder/layer/block_compressor.hpp"
#include "builder/layer/gzip_blocks.hpp"

namespace kiln {

// Makes one stream of blocks that were compressed apart: what next() and end() return, in order.
class BlockJoiner {
 public:
  explicit BlockJoiner(CompressionKind kind) : kind_(kind) {}
  // With what stands before the first block.
  std::string next(CompressedBlock block, std::uint64_t plain_bytes);
  // What stands behind the last one; there must be one.
  std::string end() const;

 private:
  CompressionKind kind_;
  GzipChecksum checksum_;
  bool begun_ = false;
};

}  // namespace kiln
