#include "builder/steps/layer_claims.hpp"

#include "builder/layer/index_layer.hpp"

namespace kiln {

OrBlocked<LayerBlob> checked_blob(LayerAccess& access, const ImageLayer& layer, const std::string& step) {
  OrBlocked<LayerBlob> blob = access.local_blob(layer, step);
  if (layer.is_own || blob.is_blocked()) return blob;
  LayerBlob found = std::move(blob).value();
  index_layer(access.store(), access.pool(), found.descriptor, layer.value.diff_id, access.cancel());
  return found;
}

void check_sent(LayerAccess& access, const ImageLayers& layers, const std::set<std::string>& registries) {
  for (const ImageLayer& layer : layers) {
    if (layer.is_own || layer.value.blobs.empty()) continue;
    const bool is_there =
        layer.remote && registries.size() == 1 && registries.contains(layer.remote->endpoint.authority);
    if (!is_there || access.store().has(layer.value.blobs.front().descriptor.digest)) {
      still_there(checked_blob(access, layer));
    }
  }
}

}  // namespace kiln
