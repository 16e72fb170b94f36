#pragma once

#include <vector>

#include "builder/report/build_report.hpp"

namespace kiln::cli {

// Prints a report to standard output, as wide and as coloured as the terminal there.
void print_report(const BuildReport& report);

}  // namespace kiln::cli
