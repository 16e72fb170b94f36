#pragma once

#include <cstdint>
#include <string>

namespace kiln {

// Append the digits of a number. fmt::format_to() with a back_inserter would make all of fmt's formatters anew in the
// batch of sources that calls it, and fmt::format() takes memory for each call.
void append_number(std::string& text, std::uint64_t value, int base = 10);
void append_signed(std::string& text, std::int64_t value);

}  // namespace kiln
