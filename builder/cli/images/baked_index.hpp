#pragma once

#include <functional>
#include <string>
#include <vector>

#include "builder/cli/images/registry_session.hpp"
#include "builder/plan/plan.hpp"
#include "builder/solve/target_inputs.hpp"
#include "registry/oci/descriptor.hpp"

namespace kiln::cli {

// An index that was put at registries.
struct BakedIndex {
  oci::Descriptor root;
  std::vector<oci::Descriptor> manifests;  // with their platforms
  std::vector<std::string> names;          // the target's; the tag of its inputs is not among them
};

// Called with what is about to be put, and one of its names; what it throws keeps it from being put.
using CheckIndex = std::function<void(const oci::Reference& name, const oci::Descriptor& root)>;

// Puts the index of a target for several platforms, whose images `bake --only-platform` has pushed, under the target's
// names and the tag of its inputs: the index that one build of all platforms would push. `inputs` are in the plan's
// numbers. Error{network} where an image is not there.
BakedIndex put_baked_index(RegistrySession& session, const Plan& plan, const std::string& target,
                           const std::vector<TargetInputs>& inputs, const CheckIndex& check);

}  // namespace kiln::cli
