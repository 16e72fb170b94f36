#include "builder/report/report_document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "base/text.hpp"
#include "builder/report/image_causes.hpp"
#include "builder/report/report_words.hpp"

namespace kiln {

namespace {

std::optional<double> share_of(std::uint64_t part, std::uint64_t whole) {
  return percent_of(static_cast<double>(part), static_cast<double>(whole));
}

std::vector<Figure> figures_of(const BuildReport& report) {
  const auto at_least = [](const std::optional<double>& value, const std::optional<double>& least) {
    return value && least ? std::optional(*value >= *least) : std::nullopt;
  };
  const ReportTargets& targets = report.targets;
  std::string reduction;
  if (targets.reduction_pct_min) {
    reduction = targets.reduction_pct_max
                    ? fmt::format("{:.4g} to {:.4g} %", *targets.reduction_pct_min, *targets.reduction_pct_max)
                    : fmt::format("{:.4g} %", *targets.reduction_pct_min);
  }
  const std::string hits = targets.cache_hit_pct ? fmt::format("{:.4g} %", *targets.cache_hit_pct) : "";
  const auto reduced = [&](std::string name, const std::optional<double>& value) {
    return Figure{std::move(name), shown_percent(value), reduction, at_least(value, targets.reduction_pct_min), ""};
  };
  const auto hit = [&](std::string name, const std::optional<double>& value) {
    return Figure{std::move(name), shown_percent(value), hits, at_least(value, targets.cache_hit_pct), ""};
  };
  std::vector<Figure> figures = {reduced("reduction of stored bytes", report.fleet.reduction_pct),
                                 reduced("reduction, mean of images", report.fleet.mean_reduction_pct),
                                 hit("cache hits by steps", report.rates.steps_pct),
                                 hit("cache hits by bytes", report.rates.bytes_pct),
                                 hit("cache hits by seconds", report.rates.seconds_pct),
                                 Figure{"wall time", human_seconds(report.seconds), "", std::nullopt, ""}};
  if (targets.build_seconds) {
    figures.back().target = "under " + human_seconds(*targets.build_seconds);
    figures.back().met = report.seconds <= *targets.build_seconds;
  }
  if (report.fleet.unpacked_reduction_pct) {
    figures.insert(figures.begin() + 1, Figure{"the same unpacked", shown_percent(report.fleet.unpacked_reduction_pct),
                                               "", std::nullopt, "as tar, without compression"});
  }
  return figures;
}

// "1.54 GB images/base-gpu-cu121/Dockerfile:13, 677 MB ...": the layers that take the most, down to a tenth of the
// image.
std::string largest_layers(const ReportImage& image) {
  std::vector<const ReportLayer*> layers;
  for (const ReportLayer& layer : image.layers) {
    if (layer.bytes >= image.compressed_bytes / 10) layers.push_back(&layer);
  }
  std::stable_sort(layers.begin(), layers.end(),
                   [](const ReportLayer* a, const ReportLayer* b) { return a->bytes > b->bytes; });
  std::string result;
  for (const ReportLayer* layer : layers) {
    const std::string place = shown_place(layer->file, layer->line);
    result += fmt::format("{}{} {}", result.empty() ? "" : ", ", human_bytes(layer->bytes),
                          place.empty() ? layer->digest.short_hex() : place);
  }
  return result;
}

bool have_same_layers(const ReportImage& a, const ReportImage& b) {
  return a.name == b.name &&
         std::equal(a.layers.begin(), a.layers.end(), b.layers.begin(), b.layers.end(),
                    [](const ReportLayer& x, const ReportLayer& y) { return x.digest == y.digest; });
}

std::map<oci::Digest, LayerUse> layer_uses(const BuildReport& report) {
  std::map<oci::Digest, std::pair<std::set<std::string>, std::size_t>> users;
  for (const ReportImage& image : report.images) {
    std::set<oci::Digest> own;
    for (const ReportLayer& layer : image.layers) own.insert(layer.digest);
    for (const oci::Digest& digest : own) {
      auto& [names, count] = users[digest];
      names.insert(image.name);
      ++count;
    }
  }
  std::map<oci::Digest, LayerUse> result;
  for (const auto& [digest, user] : users) {
    result[digest] = user.first.size() > 1 ? LayerUse::images : user.second > 1 ? LayerUse::profiles : LayerUse::image;
  }
  return result;
}

std::vector<DistinctLayer> distinct_layers(const BuildReport& report) {
  struct Found {
    const ReportLayer* layer = nullptr;
    std::set<std::string> images;
  };
  std::map<oci::Digest, Found> found;
  std::uint64_t sum = 0;
  for (const ReportImage& image : report.images) {
    for (const ReportLayer& layer : image.layers) {
      Found& entry = found[layer.digest];
      if (entry.layer == nullptr) {
        entry.layer = &layer;
        sum += layer.bytes;
      }
      entry.images.insert(shown_name(image));
    }
  }
  const std::map<oci::Digest, LayerUse> uses = layer_uses(report);
  std::vector<DistinctLayer> result;
  for (const auto& [digest, entry] : found) {
    result.push_back(
        {entry.layer, uses.at(digest), {entry.images.begin(), entry.images.end()}, share_of(entry.layer->bytes, sum)});
  }
  std::stable_sort(result.begin(), result.end(),
                   [](const DistinctLayer& a, const DistinctLayer& b) { return a.layer->bytes > b.layer->bytes; });
  return result;
}

std::vector<ImageGroup> groups_of(const BuildReport& report) {
  const std::map<oci::Digest, LayerUse> uses = layer_uses(report);
  std::vector<ImageGroup> groups;
  for (const ReportImage& image : report.images) {
    const auto known = std::find_if(groups.begin(), groups.end(),
                                    [&](const ImageGroup& group) { return have_same_layers(group.image(), image); });
    if (known != groups.end()) {
      known->members.push_back(&image);
      continue;
    }
    ImageGroup& group = groups.emplace_back();
    group.members.push_back(&image);
    for (const ReportLayer& layer : image.layers) group.bytes[uses.at(layer.digest)] += layer.bytes;
  }
  return groups;
}

std::vector<Reduction::Share> shares_of(const std::vector<CauseShare>& causes, std::uint64_t before_bytes) {
  std::vector<Reduction::Share> shares;
  for (const CauseShare& cause : causes) {
    shares.push_back({cause, percent_of(static_cast<double>(cause.saved_bytes), static_cast<double>(before_bytes))});
  }
  return shares;
}

Reduction reduction_of_image(const ReportImage& image, bool is_alone, const std::optional<double>& least_pct) {
  const bool falls_short = least_pct && (*image.reduction_pct < *least_pct ||
                                         (image.unpacked_reduction_pct && *image.unpacked_reduction_pct < *least_pct));
  Reduction reduction;
  reduction.name = is_alone && !image.name.empty() ? printable(image.name) : shown_name(image);
  reduction.before_bytes = image.baseline->compressed_bytes;
  reduction.bytes = image.compressed_bytes;
  reduction.unpacked_before = image.baseline->unpacked_bytes;
  reduction.unpacked = image.unpacked_bytes;
  reduction.pct = image.reduction_pct;
  reduction.unpacked_pct = image.unpacked_reduction_pct;
  reduction.causes = shares_of(image_causes(image), reduction.before_bytes);
  if (falls_short) reduction.rest = largest_layers(image);
  return reduction;
}

Reduction reduction_of_fleet(const ReportFleet& fleet, const std::vector<CauseShare>& causes) {
  Reduction reduction;
  reduction.name = "all images, each layer once";
  reduction.before_bytes = fleet.baseline_bytes;
  reduction.bytes = fleet.compared_bytes;
  reduction.unpacked_before = fleet.baseline_unpacked_bytes;
  reduction.unpacked = fleet.compared_unpacked_bytes;
  reduction.pct = fleet.reduction_pct;
  reduction.unpacked_pct = fleet.unpacked_reduction_pct;
  reduction.causes = shares_of(causes, reduction.before_bytes);
  return reduction;
}

std::vector<Reduction> reductions_of(const ReportDocument& document) {
  std::vector<Reduction> result;
  for (const ImageGroup& group : document.groups) {
    const auto compared = std::find_if(group.members.begin(), group.members.end(), [](const ReportImage* image) {
      return image->baseline && image->reduction_pct;
    });
    if (compared == group.members.end()) continue;
    const auto is_of_name = [&](const ImageGroup& other) { return other.image().name == group.image().name; };
    const bool is_alone = std::count_if(document.groups.begin(), document.groups.end(), is_of_name) == 1;
    result.push_back(reduction_of_image(**compared, is_alone, document.report.targets.reduction_pct_min));
  }
  if (result.size() > 1)
    result.insert(result.begin(), reduction_of_fleet(document.report.fleet, document.fleet_causes));
  for (Reduction& reduction : result) reduction.left_pct = share_of(reduction.bytes, reduction.before_bytes);
  return result;
}

StepSums sums_of(const std::vector<ReportStep>& steps) {
  StepSums sums;
  for (const ReportStep& step : steps) {
    if (step.outcome == StepOutcome::hit) {
      ++sums.hits;
      ++sums.hits_by_source[step.from];
      continue;
    }
    ++(step.outcome == StepOutcome::built ? sums.built : sums.failed);
    sums.misses.push_back(&step);
  }
  return sums;
}

std::vector<FetchSum> sums_of(const std::vector<ReportFetch>& fetched) {
  std::vector<FetchSum> sums;
  for (const ReportFetch& fetch : fetched) {
    auto found = std::find_if(sums.begin(), sums.end(), [&](const FetchSum& sum) { return sum.step == fetch.step; });
    if (found == sums.end()) found = sums.insert(sums.end(), {fetch.step});
    ++(fetch.what == FetchedKind::layer ? found->layers : found->others);
    found->bytes += fetch.bytes;
  }
  return sums;
}

std::vector<FleetWaste> fleet_waste(const BuildReport& report) {
  std::map<std::tuple<WasteKind, oci::Digest, oci::Digest, std::string, std::string>, FleetWaste> found;
  for (const ReportImage& image : report.images) {
    if (!image.waste) continue;
    for (const Waste& waste : *image.waste) {
      const ReportLayer& layer = image.layers.at(waste.layer);
      const ReportLayer& because = image.layers.at(waste.because);
      FleetWaste& entry = found[{waste.kind, layer.diff_id, because.diff_id, waste.example, waste.advice}];
      if (entry.layer == nullptr) entry = {waste, &layer, &because, {}};
      entry.images.push_back(shown_name(image));
    }
  }
  std::vector<FleetWaste> result;
  for (auto& [_, entry] : found) result.push_back(std::move(entry));
  std::stable_sort(result.begin(), result.end(),
                   [](const FleetWaste& a, const FleetWaste& b) { return a.waste.bytes > b.waste.bytes; });
  return result;
}

}  // namespace

ReportDocument::ReportDocument(const BuildReport& build_report)
    : report(build_report),
      figures(figures_of(report)),
      layers(distinct_layers(report)),
      groups(groups_of(report)),
      fleet_causes(kiln::fleet_causes(report.fleet)),
      steps(sums_of(report.steps)),
      waste(fleet_waste(report)),
      fetched(sums_of(report.fetched)) {
  reductions = reductions_of(*this);
  std::set<std::string> names;
  for (const ReportImage& image : report.images) {
    if (image.baseline && names.insert(image.name).second) with_baseline.push_back(&image);
    was_searched_for_waste = was_searched_for_waste || image.waste.has_value();
  }
  for (const DistinctLayer& layer : layers) layer_bytes += layer.layer->bytes;
  for (const FleetWaste& entry : waste) waste_bytes += entry.waste.bytes;
  for (const FetchSum& sum : fetched) fetched_bytes += sum.bytes;
}

}  // namespace kiln
