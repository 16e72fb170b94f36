#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kiln {

// RFC 4648, the standard alphabet with padding.
std::string base64_encoded(std::string_view bytes);
// Padding may be missing; nullopt for anything that is no base64.
std::optional<std::string> base64_decoded(std::string_view text);

}  // namespace kiln
