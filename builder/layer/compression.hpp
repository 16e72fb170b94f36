#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/thread_pool.hpp"
#include "builder/layer/byte_source.hpp"

namespace kiln {

enum class CompressionKind : std::uint8_t { none, gzip, zstd };

std::string_view to_string(CompressionKind kind);

// How a layer's tar is made smaller. The same bytes come out on every machine, whatever its cores or CPU, for one
// version of kiln: each block of kBlockBytes is compressed apart, in one gzip member (gzip_blocks.hpp) or a zstd frame.
//
//   gzip  level 1, 2, 3: ISA-L at 1, 2, 2 (its level 3 differs between CPUs); 0 and 4 to 12: libdeflate. Default 2.
//   zstd  level 1 to 22. Default 3.
struct Compression {
  CompressionKind kind = CompressionKind::gzip;
  std::optional<int> level;  // nullopt: the default

  // Error{usage}: an unknown word, a level out of range. "uncompressed" and "none" are one.
  static Compression parse(std::string_view kind, std::optional<int> level = {});

  int effective_level() const;
  // The OCI media type of a layer compressed so.
  std::string media_type() const;
  // "gzip", "zstd:10" (the level only where it is not the default); parse_text() reads it back.
  std::string str() const;
  static Compression parse_text(std::string_view text);

  bool operator==(const Compression& other) const {
    return kind == other.kind && effective_level() == other.effective_level();
  }
};

// What a layer's media type says about its compression (OCI and docker types); nullopt for a type that is no layer's.
std::optional<CompressionKind> compression_of_media_type(std::string_view media_type);
// What the first bytes say; none where they are neither gzip nor zstd.
CompressionKind detect_compression(std::string_view first_bytes);

inline constexpr std::size_t kBlockBytes = std::size_t{4} << 20;

// One independently compressed piece of a blob.
struct Frame {
  std::uint64_t compressed_bytes = 0;
  std::uint64_t unpacked_bytes = 0;

  bool operator==(const Frame&) const = default;
};

struct DecompressionLimits {
  std::uint64_t max_bytes = std::uint64_t{256} << 30;  // of what comes out
};

// Error{build} of a stream that is no worse for it, but whose decompression takes more memory than it is given: a zstd
// window of more than 128 MiB, an xz dictionary of about 1 GiB.
class TooMuchMemory : public Error {
 public:
  TooMuchMemory(std::string_view name, std::string_view what);
};

// The plain bytes of a gzip (any number of members), zstd (any number of frames, skippable ones too) or uncompressed
// stream, recognised by its first bytes. Error{build} naming `name` for damaged or cut data, for anything but zeros
// behind it, and where more comes out than the limits allow.
std::unique_ptr<ByteSource> decompress_stream(std::unique_ptr<ByteSource> source, std::string name,
                                              DecompressionLimits limits = {});

// The same for a stream whose frames are known: they are inflated in the pool, a bounded number of them at a time.
// Error{build} where a frame does not come out at its stated size or the frames are not the whole stream.
// An empty list of frames means unknown: plain decompress_stream.
std::unique_ptr<ByteSource> decompress_frames(std::unique_ptr<ByteSource> source, std::vector<Frame> frames,
                                              ThreadPool& pool, std::string name, DecompressionLimits limits = {});

// For ADD: also bzip2 and xz, as docker has it.
std::unique_ptr<ByteSource> decompress_any(std::unique_ptr<ByteSource> source, std::string name,
                                           DecompressionLimits limits = {});

}  // namespace kiln
