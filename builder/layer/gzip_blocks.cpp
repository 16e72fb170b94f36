#include "builder/layer/gzip_blocks.hpp"

#include <fmt/format.h>
#include <isa-l/igzip_lib.h>
#include <libdeflate.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/error.hpp"
#include "builder/layer/deflate_blocks.hpp"

namespace kiln {

namespace {

constexpr int kFirstLibdeflateLevel = 4;

std::string compress_by_isal(std::string_view plain, int level, ByteBuffer& buffer) {
  // Level 3 writes other bytes on CPUs with AVX-512, so it is never used.
  const int isal_level = std::min(level, 2);
  const std::size_t buffer_bytes = isal_level == 1 ? ISAL_DEF_LVL1_DEFAULT : ISAL_DEF_LVL2_DEFAULT;
  const auto level_buffer = std::make_unique_for_overwrite<std::uint8_t[]>(buffer_bytes);
  const std::size_t room = plain.size() + plain.size() / 1024 + 4096;
  const auto stream = std::make_unique<isal_zstream>();
  isal_deflate_init(stream.get());
  stream->level = static_cast<std::uint32_t>(isal_level);
  stream->level_buf = level_buffer.get();
  stream->level_buf_size = static_cast<std::uint32_t>(buffer_bytes);
  stream->gzip_flag = IGZIP_DEFLATE;
  stream->end_of_stream = 0;
  stream->flush = FULL_FLUSH;
  stream->next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(plain.data()));
  stream->avail_in = static_cast<std::uint32_t>(plain.size());
  buffer.grow(room);
  char* const made = buffer.data();
  std::string out;
  for (;;) {
    stream->next_out = reinterpret_cast<std::uint8_t*>(made);
    stream->avail_out = static_cast<std::uint32_t>(room);
    const int result = isal_deflate(stream.get());
    if (result != COMP_OK) throw Error(Category::machine, fmt::format("gzip: ISA-L answered {}", result));
    out.append(made, room - stream->avail_out);
    if (stream->avail_out > 0) break;
  }
  if (stream->avail_in > 0 || !out.ends_with(kFlushMark)) {
    throw Error(Category::machine, "gzip: ISA-L did not come to an end");
  }
  return out;
}

std::string compress_by_libdeflate(std::string_view plain, int level, ByteBuffer& buffer) {
  const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> compressor(
      libdeflate_alloc_compressor(level), &libdeflate_free_compressor);
  if (!compressor) throw Error(Category::machine, "gzip: no memory for the compressor");
  const std::size_t room = libdeflate_deflate_compress_bound(compressor.get(), plain.size());
  buffer.grow(room);
  char* const made = buffer.data();
  const std::size_t size = libdeflate_deflate_compress(compressor.get(), plain.data(), plain.size(), made, room);
  if (size == 0) throw Error(Category::machine, "gzip: libdeflate failed");
  return open_ended_deflate({made, size});
}

// The CRC-32 as polynomials over GF(2), bits reversed: x^0 is the highest bit.
constexpr std::uint32_t kPolynomial = 0xedb88320;
constexpr std::uint32_t kOne = std::uint32_t{1} << 31;

constexpr std::uint32_t product(std::uint32_t a, std::uint32_t b) {
  std::uint32_t result = 0;
  for (std::uint32_t bit = kOne; bit != 0; bit >>= 1) {
    if ((a & bit) != 0) result ^= b;
    b = (b & 1) != 0 ? (b >> 1) ^ kPolynomial : b >> 1;
  }
  return result;
}

// x^(8 * bytes): what a CRC is multiplied by where so many bytes follow.
std::uint32_t shift_by(std::uint64_t bytes) {
  std::uint32_t result = kOne;
  for (std::uint32_t square = kOne >> 8; bytes != 0; bytes >>= 1, square = product(square, square)) {
    if ((bytes & 1) != 0) result = product(result, square);
  }
  return result;
}

void append_little_endian(std::string& text, std::uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) text += static_cast<char>(value >> shift & 0xff);
}

}  // namespace

GzipBlock compress_gzip_block(std::string_view plain, int level, ByteBuffer& room) {
  GzipBlock block;
  const bool by_libdeflate = level == 0 || level >= kFirstLibdeflateLevel;
  block.deflate = by_libdeflate ? compress_by_libdeflate(plain, level, room) : compress_by_isal(plain, level, room);
  block.crc = libdeflate_crc32(0, plain.data(), plain.size());
  return block;
}

void GzipChecksum::add(std::uint32_t crc, std::uint64_t plain_bytes) {
  crc_ = product(crc_, shift_by(plain_bytes)) ^ crc;
  bytes_ += plain_bytes;
}

std::string GzipChecksum::tail() const {
  std::string text(kLastDeflateBlock);
  append_little_endian(text, crc_);
  append_little_endian(text, static_cast<std::uint32_t>(bytes_));
  return text;
}

}  // namespace kiln
