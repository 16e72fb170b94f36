#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace kiln::cli {

// To standard output, for people: a CI service that keeps it in a log takes no order from a line. Documents for
// programs are printed as they are.
void print_text(std::string_view text);

template <class First, class... Rest>
void print_text(fmt::format_string<First, Rest...> format, First&& first, Rest&&... rest) {
  print_text(std::string_view(fmt::format(format, std::forward<First>(first), std::forward<Rest>(rest)...)));
}

}  // namespace kiln::cli
