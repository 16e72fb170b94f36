#include "builder/report/look_into_images.hpp"

#include <map>
#include <set>

namespace kiln {

void look_into_images(BuildReport& report,
                      const std::function<std::shared_ptr<const FileIndex>(const oci::Digest& diff_id)>& index_of) {
  std::vector<std::vector<std::shared_ptr<const FileIndex>>> indexes;
  std::map<std::vector<oci::Digest>, std::vector<Waste>> known;  // profiles of an image mostly have the same layers
  for (ReportImage& image : report.images) {
    indexes.emplace_back();
    std::vector<oci::Digest> diff_ids;
    bool any = false;
    for (const ReportLayer& layer : image.layers) {
      indexes.back().push_back(index_of(layer.diff_id));
      diff_ids.push_back(layer.diff_id);
      any = any || indexes.back().back();
    }
    if (!any) continue;
    const auto [waste, is_new] = known.try_emplace(diff_ids);
    if (is_new) waste->second = waste_of(indexes.back());
    image.waste = waste->second;
  }
  // What images share among themselves is told of those that are compared, each layer once.
  const std::vector<std::optional<std::vector<ContentBytes>>> contents = contents_of(indexes);
  ContentBytes compared;
  std::set<oci::Digest> counted;
  bool is_whole = true;
  for (std::size_t i = 0; i < report.images.size(); ++i) {
    ReportImage& image = report.images[i];
    const bool is_compared = image.reduction_pct.has_value();
    is_whole = is_whole && (contents[i] || !is_compared);
    if (!contents[i]) continue;
    image.contents.emplace();
    for (std::size_t layer = 0; layer < image.layers.size(); ++layer) {
      *image.contents += (*contents[i])[layer];
      if (is_compared && counted.insert(image.layers[layer].digest).second) compared += (*contents[i])[layer];
    }
  }
  if (is_whole && !counted.empty()) report.fleet.compared_contents = compared;
}

}  // namespace kiln
