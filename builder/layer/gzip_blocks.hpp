#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "builder/layer/byte_buffer.hpp"

namespace kiln {

// kiln's gzip streams: one member (RFC 1952) of blocks that were compressed apart, as pigz makes them.
//
//   stream = head block block* tail
//   block  = the deflate blocks of a piece of the plain bytes, none the last of the stream and none looking back behind
//            the piece; then an empty stored block, which ends at a whole byte: its last four bytes are 00 00 ff ff
//   tail   = an empty last deflate block, the CRC-32 of all plain bytes, their number modulo 2^32
//
// Rejected: a member for each block, which kiln wrote until 2026-11 and reads. Some readers (Python's tarfile from a
// pipe, .NET) take the first member for the whole.
struct GzipBlock {
  std::string deflate;
  std::uint32_t crc = 0;  // of the plain bytes
};

inline constexpr std::string_view kGzipHead{"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", 10};  // no time, unknown system
inline constexpr std::string_view kFlushMark{"\x00\x00\xff\xff", 4};
inline constexpr std::size_t kGzipTailBytes = 10;

// Levels 1, 2 and 3: ISA-L at 1, 2 and 2; 0 and 4 to 12: libdeflate. The same bytes on every machine.
// `room` is used on the way: a caller with many blocks keeps one.
GzipBlock compress_gzip_block(std::string_view plain, int level, ByteBuffer& room);

// Puts the checksums of blocks together, in their order.
class GzipChecksum {
 public:
  void add(std::uint32_t crc, std::uint64_t plain_bytes);
  // The stream's tail.
  std::string tail() const;

 private:
  std::uint32_t crc_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace kiln
