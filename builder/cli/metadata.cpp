#include "builder/cli/metadata.hpp"

#include <nlohmann/json.hpp>

#include "base/text.hpp"

namespace kiln::cli {

nlohmann::json image_metadata(const AssembledImage& image, const std::vector<std::string>& names) {
  nlohmann::json result = {{"containerimage.digest", image.manifest.digest.str()},
                           {"containerimage.config.digest", image.config.digest.str()},
                           {"containerimage.descriptor", oci::to_json(image.manifest)}};
  if (!names.empty()) result["image.name"] = join(names, ",");
  return result;
}

}  // namespace kiln::cli
