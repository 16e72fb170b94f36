#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "builder/layer/compression.hpp"
#include "builder/layer/gzip_blocks.hpp"

namespace kiln {

// One block of a blob, compressed apart from the others: a part of the one gzip member, or a zstd frame of its own.
struct CompressedBlock {
  std::string bytes;
  std::uint32_t crc = 0;  // of the plain bytes, for gzip
};
CompressedBlock compress_apart(std::string_view block, const Compression& compression);

// Makes one stream of such blocks: what next() and end() return, in order.
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
