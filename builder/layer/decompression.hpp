#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/thread_pool.hpp"
#include "builder/layer/byte_source.hpp"
#include "builder/layer/compression.hpp"

namespace kiln {

struct DecompressionLimits {
  std::uint64_t max_bytes = std::uint64_t{256} << 30;  // of what comes out
};

// The plain bytes of a gzip (any number of members), zstd (any number of frames, skippable ones too) or uncompressed
// stream, recognised by its first bytes. Error{build} naming `name` for damaged or cut data, for anything behind it,
// and where more comes out than the limits allow.
std::unique_ptr<ByteSource> decompress_stream(std::unique_ptr<ByteSource> source, std::string name,
                                              DecompressionLimits limits = {});

// The same for a stream whose frames are known: they are inflated in the pool, a bounded number of them at a time.
// Error{build} where a frame does not come out at its stated size or the frames are not the whole stream.
// An empty list of frames means unknown: plain decompress_stream.
std::unique_ptr<ByteSource> decompress_frames(std::unique_ptr<ByteSource> source, std::vector<Frame> frames,
                                              ThreadPool& pool, std::string name, DecompressionLimits limits = {});

// For ADD: also bzip2, xz, lzma and whatever else libarchive's filters know.
std::unique_ptr<ByteSource> decompress_any(std::unique_ptr<ByteSource> source, std::string name,
                                           DecompressionLimits limits = {});

}  // namespace kiln
