#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/report/build_report.hpp"
#include "builder/report/causes.hpp"

namespace kiln {

// What all formats of the report say in the same words.

// "1 image", "2 images".
std::string count_of(std::size_t count, std::string_view noun);
// An instruction as a table has room for it: without the mounts of a RUN, which stand before what it does. Printable.
std::string shown_instruction(std::string_view text);

// A printable text as it is, or its beginning and " ..." where it has more bytes than that.
std::string shortened(std::string text, std::size_t most_bytes);
// Why a step missed, cut where it quotes at length; the JSON has all of it. Printable.
std::string shown_reason(std::string_view text);

// A figure of the run and what it is held against.
struct Figure {
  std::string name;
  std::string value;   // "-" where it was not measured
  std::string target;  // empty: there is none, the figure stands beside another one
  std::optional<bool> met;
};
std::vector<Figure> figures_of(const BuildReport& report);

// "memory-fusion-hub mainpc"; a short digest for an image without a name. Printable.
std::string shown_name(const ReportImage& image);
// "76.7 %", "-" for none.
std::string shown_percent(const std::optional<double>& value);
// "images/base-utils/Dockerfile:3"; empty where it is not known. Printable.
std::string shown_place(const std::string& file, int line);

// What became less, before and now, and why.
struct Reduction {
  std::string name;  // "all images, each layer once", or an image. Printable
  std::uint64_t before_bytes = 0;
  std::uint64_t bytes = 0;
  std::uint64_t unpacked_before = 0;  // 0 where it is not known
  std::uint64_t unpacked = 0;
  std::optional<double> pct;
  std::optional<double> unpacked_pct;
  std::vector<CauseShare> causes;  // empty where nobody looked
  std::string rest;                // where less than the target fell: the layers that stand in the way. Printable
};
// The images together, where there are several, then each that has a baseline; profiles with the same layers once.
std::vector<Reduction> reductions_of(const BuildReport& report);
// The share of a cause in percent of what there was before.
std::optional<double> points_of(const Reduction& reduction, const CauseShare& share);

// Who has a layer.
enum class LayerUse {
  image,     // one image
  profiles,  // profiles of one image
  images,    // several images
};
// "own", "profiles", "shared": what pages call them.
std::string_view to_string(LayerUse use);
std::map<oci::Digest, LayerUse> layer_uses(const BuildReport& report);
// True for images of one name that differ in their configs at most.
bool have_same_layers(const ReportImage& a, const ReportImage& b);

// Waste of all images together: what a shared layer wastes is told once, with the images that have it.
struct FleetWaste {
  Waste waste;
  const ReportLayer* layer = nullptr;  // that holds the bytes; borrowed from the report
  const ReportLayer* because = nullptr;
  std::vector<std::string> images;
};
// The most bytes first.
std::vector<FleetWaste> fleet_waste(const BuildReport& report);

}  // namespace kiln
