#include "builder/steps/image_layers.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "builder/cache/step_key.hpp"

namespace kiln {

std::string foreign_layer_key(const oci::Digest& blob, const oci::Digest& diff_id) {
  return StepKeyBuilder("layer").text("blob", blob.str()).text("diff", diff_id.str()).finish();
}

std::string statement_key(const ImageLayer& layer) {
  if (!layer.key.empty() || layer.value.blobs.empty()) return layer.key;
  return foreign_layer_key(layer.value.blobs.front().descriptor.digest, layer.value.diff_id);
}

std::vector<oci::Digest> diff_ids_of(const ImageLayers& layers) {
  std::vector<oci::Digest> result;
  result.reserve(layers.size());
  for (const ImageLayer& layer : layers) result.push_back(layer.value.diff_id);
  return result;
}

std::string BaseOrigin::str() const {
  const std::string pin = digest && reference.find('@') == std::string::npos ? "@" + digest->str() : "";
  return fmt::format("'{}{}' for {}", reference, pin, platform.str());
}

void refuse_lost(const Blocked& blocked) {
  if (blocked.lost.empty()) throw Error(Category::machine, "a step was looked up only");
  const auto& [key, text] = *blocked.lost.begin();
  if (const auto lie = blocked.lies.find(key); lie != blocked.lies.end()) {
    throw Error(Category::machine, fmt::format("what a cache says of the layer of '{}' is false: {}; build it again",
                                               text.empty() ? key : text, lie->second));
  }
  throw Error(Category::machine, fmt::format("no place has the layer of '{}' any more; build it again, or run 'kiln "
                                             "cache verify'",
                                             text.empty() ? key : text));
}

}  // namespace kiln
