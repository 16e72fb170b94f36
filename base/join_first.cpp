#include "base/join_first.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace kiln {

std::string join_first(const std::vector<std::string>& items, std::size_t most) {
  if (items.size() <= most) return join(items, ", ");
  const std::vector<std::string> first(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(most));
  return fmt::format("{} and {} more", join(first, ", "), items.size() - most);
}

}  // namespace kiln
