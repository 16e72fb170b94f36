#include "builder/report/figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "base/text.hpp"

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
  return {reduced("reduction of stored bytes", report.fleet.reduction_pct),
          reduced("reduction, mean of images", report.fleet.mean_reduction_pct),
          hit("cache hits by steps", report.rates.steps_pct),
          hit("cache hits by bytes", report.rates.bytes_pct),
          hit("cache hits by seconds", report.rates.seconds_pct),
          Figure{"wall time", human_seconds(report.seconds), "under " + human_seconds(targets.build_seconds), report.seconds <= targets.build_seconds}};
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
  std::stable_sort(result.begin(), result.end(), [](const FleetWaste& a, const FleetWaste& b) { return a.waste.bytes > b.waste.bytes; });
  return result;
}

}  // namespace kiln
