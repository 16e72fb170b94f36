#pragma once

#include <functional>
#include <memory>

#include "builder/layer/file_index.hpp"
#include "builder/report/build_report.hpp"

namespace kiln {

// Looks for waste in every image, and at what its bytes are for, by the file indexes that `index_of` has (nullptr: not
// here). An image none of whose layers has an index is passed over; contents are told only where each layer has one.
void look_into_images(BuildReport& report,
                      const std::function<std::shared_ptr<const FileIndex>(const oci::Digest& diff_id)>& index_of);

}  // namespace kiln
