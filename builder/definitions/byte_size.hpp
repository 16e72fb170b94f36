#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace kiln {

// "200MB", "1.5 GiB", "512B": decimal units for kB (KB), MB, GB, TB, binary ones for KiB, MiB, GiB, TiB. nullopt for
// anything else, signs, exponents and overflow included.
std::optional<std::uint64_t> parse_byte_size(std::string_view text);

}  // namespace kiln
