#pragma once

#include <set>
#include <string>

#include "builder/steps/layer_access.hpp"

namespace kiln {

// The diff ID of a foreign image's layer is what the image's config says: a claim until the blob has been read.

// Reads, by LayerBlobs::checked(), what a push to these registries sends. What their registry has already and this
// machine has not stays unread: it is mounted there.
void check_sent(LayerAccess& access, const ImageLayers& layers, const std::set<std::string>& registries);

}  // namespace kiln
