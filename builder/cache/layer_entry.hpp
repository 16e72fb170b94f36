#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "builder/layer/layer.hpp"

namespace kiln {

// The content of an entry that says what file index a layer has which no kiln made (kLayerEntryType): the LayerValue as
// JSON, with one blob and the index. So a COPY onto such a layer costs the next machine no download of it.
std::string serialise_layer_entry(const LayerValue& layer);
// nullopt for anything else: the layer then has to be read.
std::optional<LayerValue> parse_layer_entry(std::string_view content);

}  // namespace kiln
