#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/report/build_report.hpp"

namespace kiln {

// What a run must reach, or CI goes red: --fail-under and the definitions' limits.size.
struct GateLimits {
  std::optional<double> reduction_pct;  // of the fleet's stored bytes against the baselines'
  std::optional<double> cache_pct;      // of steps that were hits
};

// "reduction=55,cache=70", each at most once, in per cent from 0 to 100. Error{usage} for anything else.
GateLimits parse_gate_limits(std::string_view text);

// A gate that did not hold, and the line that has most to do with it.
struct GateFailure {
  std::string message;  // one sentence with the figures
  std::string file;     // "" where no line stands out
  int line = 0;
  std::string text;  // the instruction

  bool operator==(const GateFailure&) const = default;
};

// Sizes are always checked against limits.size; a figure that is asked for and was not measured (no baseline, no step)
// fails too, since a gate that checks nothing is none.
std::vector<GateFailure> failed_gates(const BuildReport& report, const GateLimits& limits);

// Error{build} with every gate that failed and the line it is about; nothing where none did.
void refuse_failed_gates(const std::vector<GateFailure>& failures);

}  // namespace kiln
