#include "builder/solve/layer_claims.hpp"

#include "builder/layer/layer_reader.hpp"

namespace kiln {

LayerBlob checked_blob(LayerAccess& access, const ImageLayer& layer) {
  const LayerBlob blob = access.local_blob(layer);
  if (!layer.is_own) {
    index_layer(access.store(), access.pool(), blob.descriptor, layer.value.diff_id, access.cancel());
  }
  return blob;
}

void check_sent(LayerAccess& access, const ImageLayers& layers, const std::set<std::string>& registries) {
  for (const ImageLayer& layer : layers) {
    if (layer.is_own || layer.value.blobs.empty()) continue;
    const bool is_there =
        layer.remote && registries.size() == 1 && registries.contains(layer.remote->endpoint.authority);
    if (!is_there || access.store().has(layer.value.blobs.front().descriptor.digest)) checked_blob(access, layer);
  }
}

}  // namespace kiln
