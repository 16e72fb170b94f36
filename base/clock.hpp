#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kiln {

// Seconds since 1970-01-01T00:00:00Z.
using UnixSeconds = std::int64_t;

// 1980-01-01T00:00:00Z, the time that reproducible builds give what they write (zip's first representable day).
inline constexpr UnixSeconds kReproducibleEpoch = 315532800;

// What RFC 3339 can express: 0000-01-01T00:00:00Z to 9999-12-31T23:59:59Z.
inline constexpr UnixSeconds kFirstRfc3339Second = -62167219200;
inline constexpr UnixSeconds kLastRfc3339Second = 253402300799;

UnixSeconds now_unix_seconds();
double monotonic_seconds();

// RFC 3339 in UTC: "1980-01-01T00:00:00Z". Error{usage} for a time that it cannot express.
std::string format_rfc3339(UnixSeconds time);
// The reverse, fractions of a second cut off; Error{usage} where the text is no RFC 3339 time.
UnixSeconds parse_rfc3339(std::string_view text);
// nullopt for what parse_rfc3339() refuses.
std::optional<UnixSeconds> parse_rfc3339_if_valid(std::string_view text);

}  // namespace kiln
