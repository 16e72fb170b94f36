#pragma once

#include <set>
#include <string>

#include "builder/steps/image_layers.hpp"

namespace kiln {

// The diff ID of a foreign image's layer is what the image's config says: a claim until the blob has been read.

// A blob of a layer that is to be unpacked, or goes out again: in the store, fetched where it is not. One of a foreign
// image that nobody has read yet is read, and must be what the image's config says, Error{network} otherwise.
OrBlocked<LayerBlob> checked_blob(LayerAccess& access, const ImageLayer& layer, const std::string& step = {});

// Reads so what a push to these registries sends. What their registry has already and this machine has not stays
// unread: it is mounted there.
void check_sent(LayerAccess& access, const ImageLayers& layers, const std::set<std::string>& registries);

}  // namespace kiln
