#include "builder/steps/layer_claims.hpp"

namespace kiln {

void check_sent(LayerAccess& access, const ImageLayers& layers, const std::set<std::string>& registries) {
  for (const ImageLayer& layer : layers) {
    if (layer.is_own || layer.value.blobs.empty()) continue;
    const bool is_there =
        layer.remote && registries.size() == 1 && registries.contains(layer.remote->endpoint.authority);
    if (!is_there || access.store().has(layer.value.blobs.front().descriptor.digest)) {
      still_there(access.blobs().checked(layer));
    }
  }
}

}  // namespace kiln
