#pragma once

#include <nlohmann/json_fwd.hpp>

#include "builder/build/build_request.hpp"

namespace kiln::cli {

// What buildx writes about a target with --metadata-file: "containerimage.digest", "containerimage.descriptor",
// "containerimage.config.digest", and "image.name" (comma-separated) where it has names. Of images for several
// platforms the digest and descriptor are their index's, and no config describes all.
nlohmann::json target_metadata(const BuiltTarget& target);
// The same of an index that was made of images at a registry.
nlohmann::json index_metadata(const oci::Descriptor& index, const std::vector<std::string>& names);

}  // namespace kiln::cli
