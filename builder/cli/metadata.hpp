#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "builder/solve/image_assembly.hpp"

namespace kiln::cli {

// What buildx writes about an image with --metadata-file: "containerimage.digest", "containerimage.config.digest",
// "containerimage.descriptor", and "image.name" (comma-separated) where it has names.
nlohmann::json image_metadata(const AssembledImage& image, const std::vector<std::string>& names);
// The same about images for several platforms under one index: the digest and descriptor are the index's, whose
// manifests are the platforms', and no config stands for all.
nlohmann::json index_metadata(const oci::Descriptor& index, const std::vector<std::string>& names);

}  // namespace kiln::cli
