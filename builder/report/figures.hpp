#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/report/build_report.hpp"

namespace kiln {

// What all formats of the report say in the same words.

// "1 image", "2 images".
std::string count_of(std::size_t count, std::string_view noun);
// An instruction as a table has room for it: without the mounts of a RUN, which stand before what it does. Printable.
std::string shown_instruction(std::string_view text);

// A figure of the run and what it is held against.
struct Figure {
  std::string name;
  std::string value;          // "-" where it was not measured
  std::string target;
  std::optional<bool> met;
};
std::vector<Figure> figures_of(const BuildReport& report);

// "memory-fusion-hub mainpc"; a short digest for an image without a name. Printable.
std::string shown_name(const ReportImage& image);
// "76.7 %", "-" for none.
std::string shown_percent(const std::optional<double>& value);
// "images/base-utils/Dockerfile:3"; empty where it is not known. Printable.
std::string shown_place(const std::string& file, int line);

// Waste of all images together: what a shared layer wastes is told once, with the images that have it.
struct FleetWaste {
  Waste waste;
  const ReportLayer* layer = nullptr;     // that holds the bytes; borrowed from the report
  const ReportLayer* because = nullptr;
  std::vector<std::string> images;
};
// The most bytes first.
std::vector<FleetWaste> fleet_waste(const BuildReport& report);

}  // namespace kiln
