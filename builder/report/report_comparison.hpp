#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "builder/report/build_report.hpp"
#include "builder/report/gate.hpp"
#include "builder/report/layer_sources.hpp"

namespace kiln {

// What an earlier report has more or less of than this one. All bytes are compressed ones unless they say otherwise;
// texts are printable.

// A line of a Dockerfile whose layer is another one now. A line that another one of its kind took the place of ("RUN
// pip install a==1", "RUN pip install a==2") is one with it.
struct LineChange {
  std::string place;  // as it is now; as it was, of a line that is gone
  std::string text;
  std::string was = {};      // the instruction that stood in its place; empty where it is the same
  std::uint64_t before = 0;  // 0: there was no such line
  std::uint64_t now = 0;     // 0: it is gone

  bool operator==(const LineChange&) const = default;
};

// Of the profiles of one image that changed alike.
struct ImageChange {
  std::string name;                     // "memory-fusion-hub mainpc, pc2"
  std::optional<std::uint64_t> before;  // nullopt: there was none
  std::optional<std::uint64_t> now;     // nullopt: it is gone
  std::uint64_t update_bytes = 0;       // of layers that the image had not: what a machine that has the old one pulls
  std::vector<LineChange> lines;        // the most growth first

  std::int64_t growth() const noexcept;
};

struct PackageGrowth {
  std::string name;  // "pypi numpy"
  std::vector<std::string> before;
  std::vector<std::string> now;
  std::int64_t growth = 0;  // unpacked bytes, each layer once
};

struct ReportComparison {
  std::string before;  // what it is compared with: "the report of 2026-01-31T12:00:00Z"
  std::size_t before_images = 0;
  std::uint64_t before_bytes = 0;  // stored: each layer once
  std::uint64_t now_bytes = 0;
  std::uint64_t update_bytes = 0;   // of layers that were not there: what a machine that has all old images pulls
  std::vector<ImageChange> images;  // whose layers differ, the most growth first
  std::size_t same_images = 0;
  std::vector<PackageGrowth> packages;  // whose versions differ, the most growth first
  // Layers that changed and whose packages are not known; then packages of the images that have them are not compared.
  std::size_t unknown_layers = 0;
};

ReportComparison compare_reports(const BuildReport& before, const BuildReport& now, const LayerSources& sources = {});

// How much an image, or the stored bytes, may grow: --fail-over.
struct GrowthLimit {
  std::optional<double> pct = std::nullopt;
  std::optional<std::uint64_t> bytes = std::nullopt;
};
// Those that grew by more, with the line that grew most. An image that was not there before does not count as grown;
// its bytes count among the stored ones. Where there were no images at all, nothing grew.
std::vector<GateFailure> failed_growth(const ReportComparison& comparison, const GrowthLimit& limit);

// "+1.20 MB", "-5.00 kB", "0 B".
std::string shown_growth(std::int64_t bytes);

}  // namespace kiln
