#pragma once

#include <set>
#include <string>
#include <vector>

#include "builder/plan/plan.hpp"

namespace kiln {

// An image that a stage names and that no target of the plan makes.
struct StageImage {
  std::string reference;
  oci::Platform platform;  // that it is asked for
  int line = 0;            // of the Dockerfile

  std::string identity() const { return reference + " " + platform.str(); }
};

// The images of registries and the store that a stage of a target is built from, in the order of its lines: what FROM,
// --from and mounts' from= name. One that is named again is there again.
std::vector<StageImage> stage_images(const Plan& plan, const PlannedTarget& target, std::size_t stage);

}  // namespace kiln
