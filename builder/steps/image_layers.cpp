#include "builder/steps/image_layers.hpp"

#include <fmt/format.h>

#include "base/error.hpp"

namespace kiln {

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
  throw Error(Category::machine, fmt::format("no place has the layer of '{}' any more; build it again, or run 'kiln "
                                             "cache verify'",
                                             text.empty() ? key : text));
}

}  // namespace kiln
