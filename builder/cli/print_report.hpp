#pragma once

#include <vector>

#include "builder/report/build_report.hpp"
#include "builder/report/gate.hpp"

namespace kiln::cli {

// Prints a report to standard output, as wide and as coloured as the terminal there.
void print_report(const BuildReport& report);

// Error{build} with every gate that failed and the line it is about; nothing where none did.
void refuse_failed_gates(const std::vector<GateFailure>& failures);

}  // namespace kiln::cli
