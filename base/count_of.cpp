#include "base/count_of.hpp"

#include <fmt/format.h>

namespace kiln {

std::string count_of(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace kiln
