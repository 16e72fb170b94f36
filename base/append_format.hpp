#pragma once

#include <fmt/core.h>

#include <string>
#include <utility>

namespace kiln {

void append_formatted(std::string& text, fmt::string_view format, fmt::format_args values);

// Appends to `text` what fmt::format() returns. fmt::format_to() with a back_inserter makes all of fmt's formatters
// anew in each batch that calls it.
template <typename... Values>
void append_format(std::string& text, fmt::format_string<Values...> format, Values&&... values) {
  append_formatted(text, format, fmt::make_format_args(values...));
}

}  // namespace kiln
