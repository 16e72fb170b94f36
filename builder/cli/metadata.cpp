#include "builder/cli/metadata.hpp"

#include <nlohmann/json.hpp>

#include "base/text.hpp"

namespace kiln::cli {

namespace {

nlohmann::json root_metadata(const oci::Descriptor& root, const std::vector<std::string>& names) {
  nlohmann::json result = {{"containerimage.digest", root.digest.str()},
                           {"containerimage.descriptor", oci::to_json(root)}};
  if (!names.empty()) result["image.name"] = join(names, ",");
  return result;
}

}  // namespace

nlohmann::json image_metadata(const AssembledImage& image, const std::vector<std::string>& names) {
  nlohmann::json result = root_metadata(image.manifest, names);
  result["containerimage.config.digest"] = image.config.digest.str();
  return result;
}

nlohmann::json index_metadata(const oci::Descriptor& index, const std::vector<std::string>& names) {
  return root_metadata(index, names);
}

}  // namespace kiln::cli
