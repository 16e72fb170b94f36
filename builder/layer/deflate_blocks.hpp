#pragma once

#include <string>
#include <string_view>

namespace kiln {

// Makes a deflate stream that is complete (RFC 1951, as libdeflate writes it) one that others may follow: its last
// block is marked as not the last any more, and an empty stored block behind it brings the stream to a whole byte, as
// zlib's Z_FULL_FLUSH does. To find where that block begins every symbol must be looked at, since only the first block
// of a stream has a known place; none is written out, so this takes a few hundredths of what compressing took.
//
// Rejected: zlib, which can flush, takes four times as long as libdeflate for the same ratio.
//
// Error{machine} for what is no complete deflate stream.
std::string open_ended_deflate(std::string_view stream);

// What ends a deflate stream whose blocks all were open-ended: an empty last block.
inline constexpr std::string_view kLastDeflateBlock{"\x03\x00", 2};

}  // namespace kiln
