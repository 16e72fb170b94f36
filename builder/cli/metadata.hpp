#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "builder/solve/image_assembly.hpp"

namespace kiln::cli {

// What buildx writes about an image with --metadata-file: "containerimage.digest", "containerimage.config.digest",
// "containerimage.descriptor", and "image.name" (comma-separated) where it has names.
nlohmann::json image_metadata(const AssembledImage& image, const std::vector<std::string>& names);

}  // namespace kiln::cli
