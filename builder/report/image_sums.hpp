#pragma once

#include <vector>

#include "builder/report/build_report.hpp"
#include "builder/report/recorder.hpp"

namespace kiln {

// The arithmetic over the set of images of one run; what each figure means stands at its member in build_report.hpp.
// `recorded` and `images` are in the same order.

std::vector<ReportImage> images_with_sums(const std::vector<RecordedImage>& recorded);
ReportFleet fleet_of(const std::vector<RecordedImage>& recorded, const std::vector<ReportImage>& images);
// One entry per image name with at least two profiles, in the order of the images.
std::vector<ReportSharing> sharing_of(const std::vector<ReportImage>& images);

}  // namespace kiln
