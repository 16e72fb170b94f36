#include "builder/report/image_causes.hpp"

namespace kiln {

std::vector<CauseShare> image_causes(const ReportImage& image) {
  if (!image.contents || !image.baseline || !image.baseline->contents) return {};
  return causes_of({*image.baseline->contents, image.baseline->compressed_bytes},
                   {*image.contents, image.compressed_bytes}, WithSharing::no);
}

std::vector<CauseShare> fleet_causes(const ReportFleet& fleet) {
  if (!fleet.compared_contents || !fleet.baseline_contents) return {};
  return causes_of({*fleet.baseline_contents, fleet.baseline_bytes}, {*fleet.compared_contents, fleet.compared_bytes},
                   WithSharing::yes);
}

}  // namespace kiln
