#include "builder/layer/block_compressor.hpp"

#include <fmt/format.h>
#include <zstd.h>

#include <utility>

#include "base/error.hpp"
#include "builder/layer/byte_buffer.hpp"
#include "builder/layer/gzip_blocks.hpp"

namespace kiln {

// What one block at a time is compressed with.
struct BlockCompressor::Bench {
  ByteBuffer room;
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> zstd{nullptr, &ZSTD_freeCCtx};
};

namespace {

std::string compress_by_zstd(std::string_view block, int level, ZSTD_CCtx* context, ByteBuffer& buffer) {
  ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters);
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
  const std::size_t room = ZSTD_compressBound(block.size());
  buffer.grow(room);
  const std::size_t size = ZSTD_compress2(context, buffer.data(), room, block.data(), block.size());
  if (ZSTD_isError(size)) throw Error(Category::machine, fmt::format("zstd: {}", ZSTD_getErrorName(size)));
  return {buffer.data(), size};
}

}  // namespace

BlockCompressor::BlockCompressor(const Compression& compression) : compression_(compression) {}

BlockCompressor::~BlockCompressor() = default;

std::unique_ptr<BlockCompressor::Bench> BlockCompressor::take() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return std::make_unique<Bench>();
  std::unique_ptr<Bench> bench = std::move(idle_.back());
  idle_.pop_back();
  return bench;
}

CompressedBlock BlockCompressor::compress(std::string_view block) {
  if (compression_.kind == CompressionKind::none) return {std::string(block), 0};
  const int level = compression_.effective_level();
  std::unique_ptr<Bench> bench = take();
  CompressedBlock made;
  if (compression_.kind == CompressionKind::gzip) {
    GzipBlock gzip = compress_gzip_block(block, level, bench->room);
    made = {std::move(gzip.deflate), gzip.crc};
  } else {
    if (!bench->zstd) bench->zstd.reset(ZSTD_createCCtx());
    if (!bench->zstd) throw Error(Category::machine, "zstd: no memory for the compressor");
    made.bytes = compress_by_zstd(block, level, bench->zstd.get(), bench->room);
  }
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(bench));
  return made;
}

}  // namespace kiln
