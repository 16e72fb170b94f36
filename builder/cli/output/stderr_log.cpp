#include "builder/cli/output/stderr_log.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <vector>

#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/cli/progress/log_folds.hpp"

namespace kiln::cli {

namespace {

std::string visible_line(std::string_view line, const LogFolds& service) {
  std::vector<std::string> parts;
  for (const std::string_view part : split(line, '\t')) parts.push_back(printable(part));
  return service.inert(join(parts, "\t"));
}

}  // namespace

std::string visible_lines(std::string_view message) {
  const LogFolds service = LogFolds::of_environment(environment_variable);
  std::vector<std::string> lines;
  for (const std::string_view line : split(message, '\n')) lines.push_back(visible_line(line, service));
  return join(lines, "\n");
}

void StderrLog::info(std::string_view message) { fmt::print(stderr, "{}\n", visible_lines(message)); }
void StderrLog::warn(std::string_view message) { fmt::print(stderr, "warning: {}\n", visible_lines(message)); }
void StderrLog::debug(std::string_view) {}

}  // namespace kiln::cli
