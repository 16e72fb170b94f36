#include "base/standard_input.hpp"

#include <fmt/format.h>

#include <array>
#include <iostream>

#include "base/error.hpp"

namespace kiln {

std::string read_standard_input(std::uint64_t max_bytes, std::string_view what) {
  std::string text;
  std::array<char, 65536> buffer;
  for (;;) {
    std::cin.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    const auto count = static_cast<std::size_t>(std::cin.gcount());
    if (count == 0) return text;
    text.append(buffer.data(), count);
    if (text.size() > max_bytes)
      throw Error(Category::usage, fmt::format("{} on standard input is larger than {} bytes", what, max_bytes));
  }
}

}  // namespace kiln
