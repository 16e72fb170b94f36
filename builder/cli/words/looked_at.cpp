#include "builder/cli/words/looked_at.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace kiln::cli {

void warn_of_unheeded_flags(const Look& look, const std::vector<std::string>& given, Log& log) {
  std::vector<std::string> unheeded;
  for (const std::string& flag : given) {
    if (flag != look.flag && look.heeds.count(flag) == 0) unheeded.push_back(flag);
  }
  if (unheeded.empty()) return;
  log.warn(fmt::format("{} builds nothing: {} {} nothing beside it", look.flag, join(unheeded, ", "),
                       unheeded.size() == 1 ? "does" : "do"));
}

}  // namespace kiln::cli
