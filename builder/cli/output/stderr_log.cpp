#include "builder/cli/output/stderr_log.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "base/text.hpp"

namespace kiln::cli {

std::string visible_lines(std::string_view message) {
  std::string result;
  while (true) {
    const std::size_t kept = message.find_first_of("\n\t");
    result += printable(message.substr(0, kept));
    if (kept == std::string_view::npos) return result;
    result += message[kept];
    message.remove_prefix(kept + 1);
  }
}

void StderrLog::info(std::string_view message) { fmt::print(stderr, "{}\n", visible_lines(message)); }
void StderrLog::warn(std::string_view message) { fmt::print(stderr, "warning: {}\n", visible_lines(message)); }
void StderrLog::debug(std::string_view) {}

}  // namespace kiln::cli
