#include "builder/cli/output/print_table.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/cli/progress/log_folds.hpp"

namespace kiln::cli {

namespace {
constexpr std::size_t kUnlimitedWidth = 100000;
}

void print_table(const TextTable& table) {
  const bool is_terminal = ::isatty(STDOUT_FILENO) == 1;
  winsize size{};
  std::size_t width = kUnlimitedWidth;
  if (is_terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    width = std::max<std::size_t>(size.ws_col, 60);
  const bool colour = is_terminal && environment_variable("NO_COLOR").value_or("").empty();
  const LogFolds service = LogFolds::of_environment(environment_variable);
  const std::string text = table.render(width, 0, colour ? Colour::yes : Colour::no);
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    fmt::print("{}\n", service.inert(rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

void print_field(std::string_view name, std::string_view value) {
  if (value.empty()) return;
  const LogFolds service = LogFolds::of_environment(environment_variable);
  fmt::print("{}\n", service.inert(fmt::format("{:<14}{}", fmt::format("{}:", name), printable(value))));
}

}  // namespace kiln::cli
