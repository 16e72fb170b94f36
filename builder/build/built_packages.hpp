#pragma once

#include "builder/build/build_request.hpp"
#include "builder/packages/image_packages.hpp"
#include "builder/steps/layer_access.hpp"

namespace kiln {

// The packages of an image that was built, with their files where they are asked for. Blocked where a layer that a
// cache promised is in no place.
OrBlocked<ImagePackages> built_packages(const BuiltImage& built, LayerAccess& access, FileList files = FileList::none);

}  // namespace kiln
