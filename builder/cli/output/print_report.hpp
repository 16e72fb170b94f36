#pragma once

#include "builder/report/build_report.hpp"

namespace kiln::cli {

enum class ReportLength {
  of_a_log,  // of a large fleet only what changed
  whole,
};

// Prints a report to standard output, as wide and as coloured as the terminal there.
void print_report(const BuildReport& report, ReportLength length);

}  // namespace kiln::cli
