#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"

namespace kiln::cli {

// A flag that makes a command look at its input and build nothing, with the flags that it heeds.
struct Look {
  std::string_view flag;
  std::set<std::string, std::less<>> heeds;
};

// Warns of the given flags that do nothing beside a look.
void warn_of_unheeded_flags(const Look& look, const std::vector<std::string>& given, Log& log);

}  // namespace kiln::cli
