#include "builder/layer/compression.hpp"

#include <fmt/format.h>
#include <isa-l/igzip_lib.h>
#include <libdeflate.h>
#include <zstd.h>

#include <algorithm>
#include <memory>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/layer/byte_buffer.hpp"
#include "registry/oci/descriptor.hpp"

namespace kiln {

namespace {

constexpr int kDefaultGzipLevel = 2;
constexpr int kDefaultZstdLevel = 3;
constexpr int kMaxGzipLevel = 12;
constexpr int kMaxZstdLevel = 22;
constexpr int kFirstLibdeflateLevel = 4;

// Room for what a block becomes, kept by each thread: its pages are in memory already when the next block comes.
char* scratch(std::size_t bytes) {
  thread_local ByteBuffer room;
  if (room.size() < bytes) room = ByteBuffer(bytes);
  return room.data();
}

std::string compress_by_isal(std::string_view block, int level) {
  // Level 3 makes other bytes on CPUs with AVX-512, so it is never used.
  const int isal_level = std::min(level, 2);
  const std::size_t buffer_bytes = isal_level == 1 ? ISAL_DEF_LVL1_DEFAULT : ISAL_DEF_LVL2_DEFAULT;
  const auto level_buffer = std::make_unique_for_overwrite<std::uint8_t[]>(buffer_bytes);
  const std::size_t room = block.size() + block.size() / 1024 + 4096;
  const auto stream = std::make_unique<isal_zstream>();
  isal_deflate_init(stream.get());
  stream->level = static_cast<std::uint32_t>(isal_level);
  stream->level_buf = level_buffer.get();
  stream->level_buf_size = static_cast<std::uint32_t>(buffer_bytes);
  stream->gzip_flag = IGZIP_GZIP;
  stream->end_of_stream = 1;
  stream->flush = NO_FLUSH;
  stream->next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(block.data()));
  stream->avail_in = static_cast<std::uint32_t>(block.size());
  std::string out;
  for (;;) {
    char* const made = scratch(room);
    stream->next_out = reinterpret_cast<std::uint8_t*>(made);
    stream->avail_out = static_cast<std::uint32_t>(room);
    const int result = isal_deflate(stream.get());
    if (result != COMP_OK) throw Error(Category::machine, fmt::format("gzip: ISA-L answered {}", result));
    out.append(made, room - stream->avail_out);
    if (stream->internal_state.state == ZSTATE_END) return out;
    if (stream->avail_out > 0) throw Error(Category::machine, "gzip: ISA-L did not come to an end");
  }
}

std::string compress_by_libdeflate(std::string_view block, int level) {
  const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> compressor(
      libdeflate_alloc_compressor(level), &libdeflate_free_compressor);
  if (!compressor) throw Error(Category::machine, "gzip: no memory for the compressor");
  const std::size_t room = libdeflate_gzip_compress_bound(compressor.get(), block.size());
  char* const made = scratch(room);
  const std::size_t size = libdeflate_gzip_compress(compressor.get(), block.data(), block.size(), made, room);
  if (size == 0) throw Error(Category::machine, "gzip: libdeflate failed");
  return {made, size};
}

std::string compress_by_zstd(std::string_view block, int level) {
  // A context is megabytes; each thread keeps one.
  thread_local const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), &ZSTD_freeCCtx);
  if (!context) throw Error(Category::machine, "zstd: no memory for the compressor");
  ZSTD_CCtx_reset(context.get(), ZSTD_reset_session_and_parameters);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level);
  const std::size_t room = ZSTD_compressBound(block.size());
  char* const made = scratch(room);
  const std::size_t size = ZSTD_compress2(context.get(), made, room, block.data(), block.size());
  if (ZSTD_isError(size)) throw Error(Category::machine, fmt::format("zstd: {}", ZSTD_getErrorName(size)));
  return {made, size};
}

}  // namespace

std::string_view to_string(CompressionKind kind) {
  switch (kind) {
    case CompressionKind::none:
      return "none";
    case CompressionKind::gzip:
      return "gzip";
    case CompressionKind::zstd:
      return "zstd";
  }
  return "none";
}

Compression Compression::parse(std::string_view kind, std::optional<int> level) {
  Compression result;
  int max_level = 0;
  int min_level = 0;
  if (kind == "gzip") {
    result.kind = CompressionKind::gzip;
    max_level = kMaxGzipLevel;
  } else if (kind == "zstd") {
    result.kind = CompressionKind::zstd;
    min_level = 1;
    max_level = kMaxZstdLevel;
  } else if (kind == "none" || kind == "uncompressed") {
    result.kind = CompressionKind::none;
  } else {
    throw Error(Category::usage, fmt::format("unknown compression '{}'{}", printable(kind),
                                             suggestion(kind, {"gzip", "zstd", "uncompressed"})));
  }
  if (result.kind == CompressionKind::none || !level) return result;
  if (*level < min_level || *level > max_level) {
    throw Error(Category::usage,
                fmt::format("compression level {} of {}: expected {} to {}", *level, kind, min_level, max_level));
  }
  if (*level != result.effective_level()) result.level = level;
  return result;
}

int Compression::effective_level() const {
  switch (kind) {
    case CompressionKind::none:
      return 0;
    case CompressionKind::gzip:
      return level.value_or(kDefaultGzipLevel);
    case CompressionKind::zstd:
      return level.value_or(kDefaultZstdLevel);
  }
  return 0;
}

std::string Compression::media_type() const {
  switch (kind) {
    case CompressionKind::none:
      return oci::media_type::kOciLayer;
    case CompressionKind::gzip:
      return oci::media_type::kOciLayerGzip;
    case CompressionKind::zstd:
      return oci::media_type::kOciLayerZstd;
  }
  return oci::media_type::kOciLayer;
}

std::string Compression::str() const {
  std::string text(to_string(kind));
  if (*this != Compression{kind, {}}) text += fmt::format(":{}", effective_level());
  return text;
}

Compression Compression::parse_text(std::string_view text) {
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return parse(text);
  const auto level = parse_unsigned(text.substr(colon + 1));
  if (!level || *level > 100) {
    throw Error(Category::usage, fmt::format("compression '{}': expected KIND:LEVEL", printable(text)));
  }
  return parse(text.substr(0, colon), static_cast<int>(*level));
}

std::optional<CompressionKind> compression_of_media_type(std::string_view media_type) {
  namespace type = oci::media_type;
  if (media_type == type::kOciLayer || media_type == "application/vnd.docker.image.rootfs.diff.tar" ||
      media_type == "application/vnd.oci.image.layer.nondistributable.v1.tar") {
    return CompressionKind::none;
  }
  if (media_type == type::kOciLayerGzip || media_type == type::kDockerLayerGzip ||
      media_type == type::kDockerForeignLayerGzip ||
      media_type == "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip") {
    return CompressionKind::gzip;
  }
  if (media_type == type::kOciLayerZstd || media_type == "application/vnd.docker.image.rootfs.diff.tar.zstd" ||
      media_type == "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd") {
    return CompressionKind::zstd;
  }
  return std::nullopt;
}

CompressionKind detect_compression(std::string_view first_bytes) {
  if (first_bytes.starts_with("\x1f\x8b")) return CompressionKind::gzip;
  if (first_bytes.starts_with("\x28\xb5\x2f\xfd")) return CompressionKind::zstd;
  // A skippable frame (RFC 8878, 3.1.2), with which a stream may begin.
  if (first_bytes.size() >= 4 && (static_cast<unsigned char>(first_bytes[0]) & 0xf0) == 0x50 &&
      first_bytes.substr(1, 3) == "\x2a\x4d\x18") {
    return CompressionKind::zstd;
  }
  return CompressionKind::none;
}

std::string compress_block(std::string_view block, const Compression& compression) {
  const int level = compression.effective_level();
  switch (compression.kind) {
    case CompressionKind::none:
      return std::string(block);
    case CompressionKind::gzip:
      return level == 0 || level >= kFirstLibdeflateLevel ? compress_by_libdeflate(block, level)
                                                          : compress_by_isal(block, level);
    case CompressionKind::zstd:
      return compress_by_zstd(block, level);
  }
  return std::string(block);
}

}  // namespace kiln
