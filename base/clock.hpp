#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kiln {

// Seconds since 1970-01-01T00:00:00Z.
using UnixSeconds = std::int64_t;

// 1980-01-01T00:00:00Z, the time that reproducible builds give what they write (zip's first representable day).
inline constexpr UnixSeconds kReproducibleEpoch = 315532800;

UnixSeconds now_unix_seconds();
double monotonic_seconds();

// RFC 3339 in UTC: "1980-01-01T00:00:00Z". Error{usage} for a time that it cannot express (years 0 to 9999).
std::string format_rfc3339(UnixSeconds time);
// The reverse, fractions of a second cut off; Error{usage} where the text is no RFC 3339 time.
UnixSeconds parse_rfc3339(std::string_view text);

}  // namespace kiln
