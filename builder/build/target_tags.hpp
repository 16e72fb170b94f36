#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "builder/definitions/fleet.hpp"
#include "builder/plan/plan.hpp"
#include "builder/solve/target_inputs.hpp"
#include "registry/remote/remote_session.hpp"

namespace kiln {

// What decides the index of images for several platforms: the inputs of all; one's own are its inputs.
TargetInputs inputs_of_all(const std::vector<TargetInputs>& platforms);

// The references that say an image with these inputs was pushed: the inputs' tag in each repository that the target is
// published to. Empty for a target without names, and for inputs that the same hash does not decide.
std::vector<oci::Reference> inputs_references(const TargetSpec& target, const TargetInputs& inputs);

// One image of the fleet that has to come out as an image of a registry: NAME=REFERENCE, as --pin takes it.
struct Pin {
  std::size_t target = 0;  // of the plan
  oci::Reference reference;
};

// Error{usage} for what is no pin or names no target that `wanted` needs.
std::vector<Pin> parse_pins(const std::vector<std::string>& words, const Plan& plan,
                            const std::set<std::size_t>& wanted);

// Error{build} where the image that was built, `root`, is not the one that the registry has under the pin.
void check_pin(const Pin& pin, const std::string& target, const oci::Digest& root, RemoteSession& remote);

}  // namespace kiln
