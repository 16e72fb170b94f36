#include "builder/cli/metadata.hpp"

#include <nlohmann/json.hpp>

#include "base/text.hpp"

namespace kiln::cli {

nlohmann::json target_metadata(const BuiltTarget& target) {
  const bool is_index = target.images.size() > 1;
  const oci::Descriptor& root = is_index ? target.root : target.images[0].image.manifest;
  nlohmann::json result = {{"containerimage.digest", root.digest.str()},
                           {"containerimage.descriptor", oci::to_json(root)}};
  if (!is_index) result["containerimage.config.digest"] = target.images[0].image.config.digest.str();
  if (!target.names.empty()) result["image.name"] = join(target.names, ",");
  return result;
}

}  // namespace kiln::cli
