#pragma once

#include <string>
#include <string_view>

namespace kiln {

// Percent-encoding (RFC 3986, 2.1): everything but unreserved characters, and those of `kept`, as %XX.
std::string percent_encoded(std::string_view text, std::string_view kept = {});
// Text with the bytes that '%41' and the like encode; a '%' that begins no such thing stays.
std::string percent_decoded(std::string_view text);

}  // namespace kiln
