#include "builder/layer/block_joiner.hpp"

#include <utility>

namespace kiln {

std::string BlockJoiner::next(CompressedBlock block, std::uint64_t plain_bytes) {
  if (kind_ != CompressionKind::gzip) return std::move(block.bytes);
  checksum_.add(block.crc, plain_bytes);
  if (std::exchange(begun_, true)) return std::move(block.bytes);
  return std::string(kGzipHead) + block.bytes;
}

std::string BlockJoiner::end() const { return kind_ == CompressionKind::gzip ? checksum_.tail() : std::string(); }

}  // namespace kiln
