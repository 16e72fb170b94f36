#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "builder/layer/layer.hpp"

namespace kiln {

// The content of an entry that says what file index a layer has (kLayerEntryType): the LayerValue as JSON, with one
// blob and the index. There are two kinds, by what their key is made of: layers that no kiln made, so that a COPY onto
// one costs the next machine no download of it; and layers cut along packages by their shape, so that a machine which
// executes a RUN knows what of it is in the cache already.
std::string serialise_layer_entry(const LayerValue& layer);
// nullopt for anything else: the layer then has to be read.
std::optional<LayerValue> parse_layer_entry(std::string_view content);

}  // namespace kiln
