#pragma once

#include "builder/definitions/fleet.hpp"

namespace kiln {

// Loads FOLDER/fleet.json, FOLDER/*/image.json and the profiles' folder. Each file is checked against its schema
// (images/schema/, profiles/schema.json; a profiles' folder with a schema.json of its own is checked against that).
//
// A folder below FOLDER without image.json is no image. An image with `profiles`, or a service where fleet.json has
// `profiles`, makes one target for each; any other makes one without. Groups: "default" holds every target of images
// that do not say `"default": false`, unless fleet.json names another.
//
// Every broken image.json is told in one error; or set aside: then its image is a target that has `problems`, and what
// does not need it can be built. So are broken profiles and the targets that are built for them.
//
// Error{usage} "FILE:LINE: ..." with the nearest valid name for an unknown key, a wrong type, a profile key that the
// schema does not know, two images or targets of one name, an unknown profile or group member, a profile that extends
// itself, a Dockerfile or context folder that is not there, and a GPU service without a profile or with one whose
// CUDA_ARCH its own `cuda` list does not serve.
enum class BrokenImages { refused, set_aside };
Fleet load_definitions(const fs::path& folder, BrokenImages broken = BrokenImages::refused);

// The target that measures `target`'s baseline by its legacy Dockerfile: same context, no profile, nothing published.
// Where that is the image's own Dockerfile, it is built to the same stage by the same arguments. nullopt where the
// baseline is no Dockerfile. Its name is "IMAGE-baseline".
std::optional<TargetSpec> baseline_target(const TargetSpec& target);

}  // namespace kiln
