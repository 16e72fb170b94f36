#include "builder/cli/output/print_text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/process.hpp"
#include "builder/cli/progress/log_folds.hpp"

namespace kiln::cli {

void print_text(std::string_view text) {
  static const LogFolds service = LogFolds::of_environment(environment_variable);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    fmt::print("{}{}", service.inert(text.substr(0, end)), end < text.size() ? "\n" : "");
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace kiln::cli
