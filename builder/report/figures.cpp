#include "builder/report/figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/text.hpp"
#include "builder/report/image_causes.hpp"

namespace kiln {

std::string count_of(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string shown_instruction(std::string_view text) {
  if (!text.starts_with("RUN ")) return printable(text);
  std::string_view rest = text.substr(4);
  while (rest.starts_with("--mount=")) {
    const std::size_t end = rest.find(' ');
    if (end == std::string_view::npos) return printable(text);
    rest = trim(rest.substr(end));
  }
  return "RUN " + printable(rest);
}

std::string shortened(std::string text, std::size_t most_bytes) {
  if (text.size() <= most_bytes) return text;
  std::size_t end = most_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + " ...";
}

std::string shown_reason(std::string_view text) { return shortened(printable(text), 240); }

std::string shown_name(const ReportImage& image) {
  if (image.name.empty()) return image.digest.short_hex();
  return printable(image.profile.empty() ? image.name : image.name + " " + image.profile);
}

std::string shown_percent(const std::optional<double>& value) { return value ? fmt::format("{:.1f} %", *value) : "-"; }

std::string shown_place(const std::string& file, int line) {
  if (file.empty()) return "";
  return printable(line > 0 ? fmt::format("{}:{}", file, line) : file);
}

std::vector<Figure> figures_of(const BuildReport& report) {
  const auto at_least = [](const std::optional<double>& value, double least) {
    return value ? std::optional(*value >= least) : std::nullopt;
  };
  const ReportTargets& targets = report.targets;
  const std::string reduction = fmt::format("{:.4g} to {:.4g} %", targets.reduction_pct_min, targets.reduction_pct_max);
  const std::string hits = fmt::format("{:.4g} %", targets.cache_hit_pct);
  const auto reduced = [&](std::string name, const std::optional<double>& value) {
    return Figure{std::move(name), shown_percent(value), reduction, at_least(value, targets.reduction_pct_min)};
  };
  const auto hit = [&](std::string name, const std::optional<double>& value) {
    return Figure{std::move(name), shown_percent(value), hits, at_least(value, targets.cache_hit_pct)};
  };
  std::vector<Figure> figures = {
      reduced("reduction of stored bytes", report.fleet.reduction_pct),
      reduced("reduction, mean of images", report.fleet.mean_reduction_pct),
      hit("cache hits by steps", report.rates.steps_pct),
      hit("cache hits by bytes", report.rates.bytes_pct),
      hit("cache hits by seconds", report.rates.seconds_pct),
      Figure{"wall time", human_seconds(report.seconds), "under " + human_seconds(targets.build_seconds),
             report.seconds <= targets.build_seconds}};
  if (report.fleet.unpacked_reduction_pct) {
    figures.insert(figures.begin() + 1,
                   Figure{"the same unpacked", shown_percent(report.fleet.unpacked_reduction_pct), "", std::nullopt});
  }
  return figures;
}

namespace {

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

}  // namespace

bool have_same_layers(const ReportImage& a, const ReportImage& b) {
  return a.name == b.name &&
         std::equal(a.layers.begin(), a.layers.end(), b.layers.begin(), b.layers.end(),
                    [](const ReportLayer& x, const ReportLayer& y) { return x.digest == y.digest; });
}

std::string_view to_string(LayerUse use) {
  switch (use) {
    case LayerUse::image:
      return "own";
    case LayerUse::profiles:
      return "profiles";
    case LayerUse::images:
      return "shared";
  }
  return {};
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

std::vector<Reduction> reductions_of(const BuildReport& report) {
  std::vector<Reduction> result;
  std::vector<const ReportImage*> shown;
  for (const ReportImage& image : report.images) {
    if (!image.baseline || !image.reduction_pct) continue;
    const bool is_known = std::any_of(shown.begin(), shown.end(),
                                      [&](const ReportImage* other) { return have_same_layers(*other, image); });
    if (is_known) continue;
    const bool is_alone = std::none_of(report.images.begin(), report.images.end(), [&](const ReportImage& other) {
      return other.name == image.name && !have_same_layers(other, image);
    });
    shown.push_back(&image);
    const double least = report.targets.reduction_pct_min;
    const bool falls_short =
        *image.reduction_pct < least || (image.unpacked_reduction_pct && *image.unpacked_reduction_pct < least);
    result.push_back({is_alone && !image.name.empty() ? printable(image.name) : shown_name(image),
                      image.baseline->compressed_bytes, image.compressed_bytes, image.baseline->unpacked_bytes,
                      image.unpacked_bytes, image.reduction_pct, image.unpacked_reduction_pct, image_causes(image),
                      falls_short ? largest_layers(image) : ""});
  }
  if (result.size() > 1) {
    const ReportFleet& fleet = report.fleet;
    result.insert(result.begin(), {"all images, each layer once", fleet.baseline_bytes, fleet.compared_bytes,
                                   fleet.baseline_unpacked_bytes, fleet.compared_unpacked_bytes, fleet.reduction_pct,
                                   fleet.unpacked_reduction_pct, fleet_causes(fleet), ""});
  }
  return result;
}

std::optional<double> points_of(const Reduction& reduction, const CauseShare& share) {
  return percent_of(static_cast<double>(share.saved_bytes), static_cast<double>(reduction.before_bytes));
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

}  // namespace kiln
