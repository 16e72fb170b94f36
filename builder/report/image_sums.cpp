#include "builder/report/image_sums.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace kiln {

namespace {

std::set<oci::Digest> digests_of(const std::vector<ReportLayer>& layers) {
  std::set<oci::Digest> result;
  for (const ReportLayer& layer : layers) result.insert(layer.digest);
  return result;
}

// What a registry keeps for a set of baselines: each layer once; a baseline without a list of layers as a whole, once.
void add_baselines(ReportFleet& fleet, const std::vector<const Baseline*>& baselines) {
  std::map<oci::Digest, BaselineLayer> layers;
  std::map<std::pair<BaselineKind, std::string>, const Baseline*> wholes;
  bool unpacked_is_known = true;
  for (const Baseline* baseline : baselines) {
    for (const BaselineLayer& layer : baseline->layers) layers[layer.digest] = layer;
    if (baseline->layers.empty()) wholes[{baseline->kind, baseline->reference}] = baseline;
    unpacked_is_known = unpacked_is_known && baseline->unpacked_bytes > 0;
  }
  if (!layers.empty() && wholes.empty()) fleet.baseline_contents.emplace();
  for (const auto& [digest, layer] : layers) {
    fleet.baseline_bytes += layer.bytes;
    fleet.baseline_unpacked_bytes += layer.unpacked_bytes;
    if (!layer.contents) fleet.baseline_contents.reset();
    if (fleet.baseline_contents) *fleet.baseline_contents += *layer.contents;
  }
  for (const auto& [name, baseline] : wholes) {
    fleet.baseline_bytes += baseline->compressed_bytes;
    fleet.baseline_unpacked_bytes += baseline->unpacked_bytes;
  }
  if (!unpacked_is_known) fleet.baseline_unpacked_bytes = 0;
}

}  // namespace

std::vector<ReportImage> images_with_sums(const std::vector<RecordedImage>& recorded) {
  // Profiles of one image share nearly all: what tells images apart is what images of other names have too.
  std::map<oci::Digest, std::set<std::string>> users;
  for (const RecordedImage& image : recorded) {
    for (const oci::Digest& digest : digests_of(image.layers)) users[digest].insert(image.name);
  }
  std::vector<ReportImage> images;
  images.reserve(recorded.size());
  for (const RecordedImage& source : recorded) {
    ReportImage& image = images.emplace_back();
    image.name = source.name;
    image.profile = source.profile;
    image.digest = source.digest;
    image.layers = source.layers;
    for (const ReportLayer& layer : source.layers) {
      image.compressed_bytes += layer.bytes;
      image.unpacked_bytes += layer.unpacked_bytes;
      (users[layer.digest].size() > 1 ? image.shared_bytes : image.unique_bytes) += layer.bytes;
    }
    image.limit_bytes = source.limit_bytes;
    if (source.baseline) {
      image.baseline = source.baseline->summary();
      image.reduction_pct = reduction_of(image.compressed_bytes, source.baseline->compressed_bytes);
      image.unpacked_reduction_pct = reduction_of(image.unpacked_bytes, source.baseline->unpacked_bytes);
    }
  }
  return images;
}

ReportFleet fleet_of(const std::vector<RecordedImage>& recorded, const std::vector<ReportImage>& images) {
  ReportFleet fleet;
  fleet.images = images.size();
  std::set<oci::Digest> stored;
  std::set<oci::Digest> compared;
  std::vector<const Baseline*> baselines;
  double reductions = 0;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const ReportImage& image = images[i];
    const std::optional<Baseline>& baseline = recorded[i].baseline;
    const bool has_baseline = baseline && baseline->compressed_bytes > 0;
    fleet.layers += image.layers.size();
    fleet.compressed_bytes += image.compressed_bytes;
    fleet.unpacked_bytes += image.unpacked_bytes;
    for (const ReportLayer& layer : image.layers) {
      if (stored.insert(layer.digest).second) {
        fleet.stored_bytes += layer.bytes;
        fleet.stored_unpacked_bytes += layer.unpacked_bytes;
      }
      if (has_baseline && compared.insert(layer.digest).second) {
        fleet.compared_bytes += layer.bytes;
        fleet.compared_unpacked_bytes += layer.unpacked_bytes;
      }
    }
    if (has_baseline) {
      baselines.push_back(&*baseline);
      reductions += 1 - static_cast<double>(image.compressed_bytes) / static_cast<double>(baseline->compressed_bytes);
    }
  }
  fleet.stored_layers = stored.size();
  add_baselines(fleet, baselines);
  fleet.reduction_pct = reduction_of(fleet.compared_bytes, fleet.baseline_bytes);
  fleet.unpacked_reduction_pct = reduction_of(fleet.compared_unpacked_bytes, fleet.baseline_unpacked_bytes);
  fleet.mean_reduction_pct = percent_of(reductions, static_cast<double>(baselines.size()));
  return fleet;
}

std::vector<ReportSharing> sharing_of(const std::vector<ReportImage>& images) {
  std::vector<ReportSharing> result;
  std::set<std::string> seen;
  for (const ReportImage& first : images) {
    if (first.profile.empty() || !seen.insert(first.name).second) continue;
    std::vector<const ReportImage*> group;
    for (const ReportImage& image : images) {
      if (image.name == first.name && !image.profile.empty()) group.push_back(&image);
    }
    if (group.size() < 2) continue;

    ReportSharing sharing;
    sharing.name = first.name;
    std::map<oci::Digest, std::size_t> users;
    const ReportImage* largest = group.front();
    for (const ReportImage* image : group) {
      sharing.profiles.push_back(image->profile);
      for (const oci::Digest& digest : digests_of(image->layers)) ++users[digest];
      if (image->layers.size() > largest->layers.size()) largest = image;
    }
    sharing.layers = largest->layers.size();
    for (const ReportLayer& layer : largest->layers) {
      if (users[layer.digest] < group.size()) continue;
      ++sharing.shared_layers;
      sharing.shared_bytes += layer.bytes;
    }
    result.push_back(std::move(sharing));
  }
  return result;
}

}  // namespace kiln
