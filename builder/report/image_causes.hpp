#pragma once

#include <vector>

#include "builder/report/build_report.hpp"
#include "builder/report/causes.hpp"

namespace kiln {

// Why an image weighs less than its baseline; empty where one of them was not looked into.
std::vector<CauseShare> image_causes(const ReportImage& image);
// The same of what the compared images and their baselines store, each layer once.
std::vector<CauseShare> fleet_causes(const ReportFleet& fleet);

}  // namespace kiln
