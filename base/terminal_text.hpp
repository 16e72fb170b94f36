#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kiln {

// Whether to write ANSI colours. Who asks the environment (NO_COLOR, a terminal or not) is the command line.
enum class Colour { no, yes };

// Columns that one Unicode character takes: 0, 1 or 2.
std::size_t character_width(char32_t character);

// Columns that a printable UTF-8 text takes on a terminal: wide East Asian characters and emoji two, combining marks
// and joiners none. What is not UTF-8 counts one column a byte.
std::size_t display_width(std::string_view text);

// The text if it fits into `columns`, else cut so that it does, its end replaced by "..." (or what fits of it).
std::string fit_width(std::string_view text, std::size_t columns);

// Filled up with spaces to `columns`; a longer text stays as it is.
std::string pad_right(std::string_view text, std::size_t columns);

}  // namespace kiln
