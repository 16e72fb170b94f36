#pragma once

#include <optional>
#include <string>

#include "base/clock.hpp"

namespace kiln {

// A date of an HTTP header in any of the three forms of RFC 9110, section 5.6.7, all in GMT: "Sun, 06 Nov 1994 08:49:37
// GMT", the obsolete "Sunday, 06-Nov-94 08:49:37 GMT" and that of C's asctime. nullopt for other texts.
std::optional<UnixSeconds> parse_http_date(const std::string& text);

}  // namespace kiln
