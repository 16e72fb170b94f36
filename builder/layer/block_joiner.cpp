#include "builder/layer/block_joiner.hpp"

#include <fmt/format.h>
#include <zstd.h>

#include <memory>
#include <utility>

#include "base/error.hpp"
#include "builder/layer/byte_buffer.hpp"

namespace kiln {

namespace {

std::string compress_by_zstd(std::string_view block, int level) {
  // A context is megabytes; each thread keeps one.
  thread_local const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), &ZSTD_freeCCtx);
  if (!context) throw Error(Category::machine, "zstd: no memory for the compressor");
  ZSTD_CCtx_reset(context.get(), ZSTD_reset_session_and_parameters);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level);
  const std::size_t room = ZSTD_compressBound(block.size());
  char* const made = thread_scratch(room);
  const std::size_t size = ZSTD_compress2(context.get(), made, room, block.data(), block.size());
  if (ZSTD_isError(size)) throw Error(Category::machine, fmt::format("zstd: {}", ZSTD_getErrorName(size)));
  return {made, size};
}

}  // namespace

CompressedBlock compress_apart(std::string_view block, const Compression& compression) {
  const int level = compression.effective_level();
  switch (compression.kind) {
    case CompressionKind::none:
      break;
    case CompressionKind::gzip: {
      GzipBlock made = compress_gzip_block(block, level);
      return {std::move(made.deflate), made.crc};
    }
    case CompressionKind::zstd:
      return {compress_by_zstd(block, level), 0};
  }
  return {std::string(block), 0};
}

std::string BlockJoiner::next(CompressedBlock block, std::uint64_t plain_bytes) {
  if (kind_ != CompressionKind::gzip) return std::move(block.bytes);
  checksum_.add(block.crc, plain_bytes);
  if (std::exchange(begun_, true)) return std::move(block.bytes);
  return std::string(kGzipHead) + block.bytes;
}

std::string BlockJoiner::end() const { return kind_ == CompressionKind::gzip ? checksum_.tail() : std::string(); }

}  // namespace kiln
