#include "builder/definitions/fleet.hpp"

#include <algorithm>

namespace kiln {

std::string FleetSettings::registry_and_namespace() const {
  return image_namespace.empty() || registry.empty() ? registry : registry + "/" + image_namespace;
}

void Fleet::sort() {
  std::sort(targets.begin(), targets.end(),
            [](const TargetSpec& one, const TargetSpec& other) { return one.name < other.name; });
}

const TargetSpec* Fleet::find(const std::string& name) const {
  const auto at =
      std::lower_bound(targets.begin(), targets.end(), name,
                       [](const TargetSpec& target, const std::string& wanted) { return target.name < wanted; });
  return at != targets.end() && at->name == name ? &*at : nullptr;
}

}  // namespace kiln
