#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "builder/report/build_report.hpp"
#include "builder/report/causes.hpp"
#include "builder/report/report_comparison.hpp"

namespace kiln {

// What every format of a report shows, computed once: the writers (text, Markdown, HTML, Prometheus) render it and add
// nothing up. Pointers lead into the report, which must live longer.

// A figure of the run and what it is held against.
struct Figure {
  std::string name;
  std::string value;        // "-" where it was not measured
  std::string target;       // empty: there is none
  std::optional<bool> met;  // none: there is no target, or it was not measured
  std::string note;         // what the name does not say
};

// Who has a layer.
enum class LayerUse {
  image,     // one image
  profiles,  // profiles of one image
  images,    // several images
};

// A layer of the run, counted once.
struct DistinctLayer {
  const ReportLayer* layer = nullptr;
  LayerUse use = LayerUse::image;
  std::vector<std::string> images;  // that have it, as shown_name() has them, in order of names
  std::optional<double> pct;        // of all distinct layers' bytes
};

// Images of one name that differ in their configs at most: profiles of a service, mostly.
struct ImageGroup {
  std::vector<const ReportImage*> members;  // the first speaks for all
  std::map<LayerUse, std::uint64_t> bytes;  // of its layers

  const ReportImage& image() const { return *members.front(); }
};

// What became less, before and now, and why.
struct Reduction {
  struct Share {
    CauseShare cause;
    std::optional<double> pct;  // of what there was before
  };
  std::string name;  // "all images, each layer once", or an image. Printable
  std::uint64_t before_bytes = 0;
  std::uint64_t bytes = 0;
  std::uint64_t unpacked_before = 0;  // 0 where it is not known
  std::uint64_t unpacked = 0;
  std::optional<double> pct;
  std::optional<double> unpacked_pct;
  std::optional<double> left_pct;  // what is still there, of before
  std::vector<Share> causes;       // empty where it was not looked at
  std::string rest;                // where less than the target fell: the layers that stand in the way. Printable
};

struct StepSums {
  std::size_t hits = 0;
  std::size_t built = 0;
  std::size_t failed = 0;
  std::map<std::string, std::size_t> hits_by_source;  // "" for what this machine had recorded
  std::vector<const ReportStep*> misses;              // built or failed, in the order of the run
};

// Waste of all images together: what a shared layer wastes is told once, with the images that have it.
struct FleetWaste {
  Waste waste;
  const ReportLayer* layer = nullptr;  // that holds the bytes
  const ReportLayer* because = nullptr;
  std::vector<std::string> images;
};

// What one step needed from shared caches.
struct FetchSum {
  std::string step;
  std::size_t layers = 0;
  std::size_t others = 0;
  std::uint64_t bytes = 0;
};

struct ReportDocument {
  explicit ReportDocument(const BuildReport& build_report);
  ReportDocument(BuildReport&&) = delete;  // would dangle

  const BuildReport& report;
  std::vector<Figure> figures;
  std::vector<DistinctLayer> layers;  // the most bytes first
  std::uint64_t layer_bytes = 0;      // of them all
  std::vector<ImageGroup> groups;
  std::vector<const ReportImage*> with_baseline;  // one for each name
  std::vector<Reduction> reductions;              // of the images together, where there are several, then of each group
  std::vector<CauseShare> fleet_causes;
  StepSums steps;
  bool was_searched_for_waste = false;
  std::vector<FleetWaste> waste;  // the most bytes first
  std::uint64_t waste_bytes = 0;
  std::vector<FetchSum> fetched;
  std::uint64_t fetched_bytes = 0;
  std::optional<ReportComparison> comparison = std::nullopt;  // with an earlier report, where one was asked for
};

}  // namespace kiln
