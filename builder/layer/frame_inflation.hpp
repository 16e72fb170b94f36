#pragma once

#include <cstdint>
#include <string>

#include "builder/layer/byte_buffer.hpp"
#include "builder/layer/compression.hpp"

namespace kiln {

// The plain bytes of one frame of a blob (decompress_frames() says what frames are). Behind the frame its buffer has
// room for kLastDeflateBlock. `kind` is what the blob's first bytes say. Error{build} naming `name` where it does not
// come out at `unpacked_bytes`, and for a frame of more than 256 MiB.
ByteBuffer inflate_frame(const ByteBuffer& frame, std::uint64_t unpacked_bytes, CompressionKind kind,
                         const std::string& name);

}  // namespace kiln
