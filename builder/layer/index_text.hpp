#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kiln {

inline constexpr std::uint64_t kMaxIndexTextBytes = std::uint64_t{2} << 30;

// The text of a file index, from its blob. Error{network} with `where` for what is no single zstd frame, or has more
// than `max_bytes` in it.
std::string inflate_index(std::string_view blob, std::string_view where, std::uint64_t max_bytes = kMaxIndexTextBytes);

}  // namespace kiln
