#include "builder/cli/output/metadata.hpp"

#include <nlohmann/json.hpp>

#include "base/text.hpp"

namespace kiln::cli {

namespace {

nlohmann::json metadata_of(const oci::Descriptor& root, const std::vector<std::string>& names) {
  nlohmann::json result = {{"containerimage.digest", root.digest.str()},
                           {"containerimage.descriptor", oci::to_json(root)}};
  if (!names.empty()) result["image.name"] = join(names, ",");
  return result;
}

}  // namespace

nlohmann::json target_metadata(const BuiltTarget& target) {
  if (target.images.size() > 1) return metadata_of(target.root, target.names);
  const AssembledImage& image = target.images[0].image;
  // An index where attestations are in one.
  const bool is_index = target.root.digest != image.manifest.digest;
  nlohmann::json result = metadata_of(is_index ? target.root : image.manifest, target.names);
  result["containerimage.config.digest"] = image.config.digest.str();
  return result;
}

nlohmann::json index_metadata(const oci::Descriptor& index, const std::vector<std::string>& names) {
  return metadata_of(index, names);
}

}  // namespace kiln::cli
