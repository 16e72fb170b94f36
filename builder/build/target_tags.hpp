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

// Where the image of one of a target's platforms is at registries until some machine makes the index of all: in each
// repository that the target is published to, under the inputs' tag with the platform behind it. Also of inputs that
// the hash does not decide: then it says nothing but where to look in the same run of CI.
std::vector<oci::Reference> platform_references(const TargetSpec& target, const TargetInputs& inputs);

// One image of the fleet that has to come out as an image of a registry: NAME=REFERENCE, as --pin takes it.
struct Pin {
  std::size_t target = 0;  // of the plan
  oci::Reference reference;
};

// Error{usage} for what is no pin or names no target that `wanted` needs.
std::vector<Pin> parse_pins(const std::vector<std::string>& words, const Plan& plan,
                            const std::set<std::size_t>& wanted);

// What a target came out as here: the root of its images, and the manifest of each platform that the build needed.
struct PinnedImages {
  std::string target;
  oci::Descriptor root;
  std::vector<oci::Descriptor> manifests;  // with their platforms
  bool is_part = false;                    // the target has other platforms too
  bool is_attested = false;                // an index may hold them with what is said of them
};

// Error{build} where the images that were built are not those that the registry has under the pin: neither the same
// root, nor one of them the image that is there, nor, of a part, each the one of its platform in the index that is
// there.
void check_pin(const Pin& pin, const PinnedImages& built, RemoteSession& remote);

}  // namespace kiln
