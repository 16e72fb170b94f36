#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace kiln::dockerfile {

// Nanoseconds of a duration as HEALTHCHECK writes it: "1m30s", "1.5s", "300ms", "0". nullopt for anything
// else, and where the sum does not fit.
std::optional<std::int64_t> parse_duration(std::string_view text);

}  // namespace kiln::dockerfile
