#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "builder/layer/compression.hpp"

namespace kiln {

// One block of a blob, compressed apart from the others: a part of the one gzip member, or a zstd frame of its own.
struct CompressedBlock {
  std::string bytes;
  std::uint32_t crc = 0;  // of the plain bytes, for gzip
};

// Compresses blocks, each apart, and keeps what is costly to make anew for each: zstd's contexts, which are megabytes,
// and buffers whose pages are in memory already. There are as many of them as blocks were in work at the same time.
// Any thread.
class BlockCompressor {
 public:
  explicit BlockCompressor(const Compression& compression);
  ~BlockCompressor();

  CompressedBlock compress(std::string_view block);

 private:
  struct Bench;
  std::unique_ptr<Bench> take();

  Compression compression_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Bench>> idle_;
};

}  // namespace kiln
