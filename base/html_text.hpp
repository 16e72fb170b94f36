#pragma once

#include <string>
#include <string_view>

namespace kiln {

// Text as it may stand in HTML and SVG, in content and in quoted attributes; unprintable bytes made visible first.
std::string html_text(std::string_view text);

}  // namespace kiln
