#include "builder/layer/compression.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "registry/oci/descriptor.hpp"

namespace kiln {

namespace {

constexpr int kDefaultGzipLevel = 2;
constexpr int kDefaultZstdLevel = 3;
constexpr int kMaxGzipLevel = 12;
constexpr int kMaxZstdLevel = 22;

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
  if (!level) return result;
  if (result.kind == CompressionKind::none)
    throw Error(Category::usage, fmt::format("compression '{}' has no levels, got {}", kind, *level));
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

}  // namespace kiln
