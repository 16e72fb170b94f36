#include "builder/cli/output/print_table.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/cli/output/print_text.hpp"

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
  print_text(table.render(width, 0, colour ? Colour::yes : Colour::no));
}

void print_field(std::string_view name, std::string_view value) {
  if (value.empty()) return;
  print_text(fmt::format("{:<14}{}\n", fmt::format("{}:", name), printable(value)));
}

}  // namespace kiln::cli
