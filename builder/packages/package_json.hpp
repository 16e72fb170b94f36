#pragma once

#include <nlohmann/json_fwd.hpp>

#include "builder/packages/image_packages.hpp"
#include "builder/packages/package_changes.hpp"

namespace kiln {

// What kiln's commands print with --json: {"packages", "layers", "notes"}; layers are numbered from 0, the lowest.
nlohmann::json to_json(const ImagePackages& packages);
nlohmann::json to_json(const Package& package);
// A list.
nlohmann::json to_json(const std::vector<PackageChange>& changes);

}  // namespace kiln
