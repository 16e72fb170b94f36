#pragma once

#include <string>
#include <vector>

#include "builder/report/build_report.hpp"

namespace kiln {

// A RUN that fetched something, as its record says.
struct NetworkSum {
  const ReportStep* step = nullptr;
  std::uint64_t bytes = 0;
  std::string words;  // "12 downloads, 34.5 MB"
};

// In the order of the run.
std::vector<NetworkSum> network_sums(const BuildReport& report);
// "12 downloads, 34.5 MB in 2 steps; 1 RUN step is not recorded"; empty where nothing was recorded.
std::string network_summary(const BuildReport& report);

}  // namespace kiln
