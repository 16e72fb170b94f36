#include "builder/cli/output/stderr_log.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace kiln::cli {

void StderrLog::info(std::string_view message) { fmt::print(stderr, "{}\n", message); }
void StderrLog::warn(std::string_view message) { fmt::print(stderr, "warning: {}\n", message); }
void StderrLog::debug(std::string_view) {}

}  // namespace kiln::cli
