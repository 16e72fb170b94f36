#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "builder/cache/fetched_kind.hpp"
#include "builder/netlog/network_record.hpp"
#include "builder/policy/finding.hpp"
#include "builder/report/contents.hpp"
#include "builder/report/waste.hpp"
#include "builder/steps/events.hpp"
#include "registry/oci/digest.hpp"

namespace kiln {

// The report of one run of kiln as plain data: what `--report FILE` writes and `kiln report` reads again (see
// report_json.hpp), and what the other formats are computed from (see report_document.hpp).
//
// All figures can be recomputed from a registry by someone else's tool: sizes are sums of descriptor sizes of
// layers (the config, a few kB, is left out), percentages are rounded to two decimals.
struct ReportLayer {
  oci::Digest digest;  // of the blob
  oci::Digest diff_id;
  std::uint64_t bytes = 0;           // the blob's
  std::uint64_t unpacked_bytes = 0;  // the tar's
  std::string file;                  // the Dockerfile or definition that made it; "" where it is not known
  int line = 0;                      // 0 where it is not known
  std::string text;                  // the instruction
};

enum class BaselineKind {
  dockerfile,  // a legacy Dockerfile that was built
  reference,   // an image of a registry
  recorded,    // a size that somebody wrote down
};

std::string_view to_string(BaselineKind kind);
// Error{usage} with the known names where it is none.
BaselineKind parse_baseline_kind(std::string_view text);

// The before-image that an image is compared with.
struct ReportBaseline {
  BaselineKind kind = BaselineKind::recorded;
  std::string reference;  // the Dockerfile (relative to the definitions), the image, or where the number is from
  std::uint64_t compressed_bytes = 0;
  std::uint64_t unpacked_bytes = 0;                     // 0 where it is not known
  std::string date;                                     // RFC 3339 or YYYY-MM-DD
  std::optional<ContentBytes> contents = std::nullopt;  // of its unpacked bytes; none where it was not looked at
};

struct ReportImage {
  std::string name;
  std::string profile;  // "" without one
  oci::Digest digest;   // of the manifest
  // Sums over `layers`. A layer counts as shared where another image of the run has a layer of the same digest.
  // compressed_bytes == unique_bytes + shared_bytes.
  std::uint64_t compressed_bytes = 0;
  std::uint64_t unpacked_bytes = 0;
  std::uint64_t unique_bytes = 0;  // of layers that no image of another name has
  std::uint64_t shared_bytes = 0;
  std::vector<ReportLayer> layers;  // bottom to top, as in the manifest
  std::optional<ReportBaseline> baseline;
  std::optional<double> reduction_pct;           // of compressed bytes; negative where the image grew
  std::optional<double> unpacked_reduction_pct;  // of unpacked ones, which compression has no part in
  std::optional<std::uint64_t> limit_bytes;      // of compressed bytes: the definition's limits.size
  // None where it was not looked at, see look_into_images().
  std::optional<std::vector<Waste>> waste;  // layers are numbers in `layers`
  std::optional<ContentBytes> contents;
};

// A step that can make a layer. Equal steps of several images are one entry: `image` is the one that executed it or,
// where none did, the first that met it.
struct ReportStep {
  std::string key;
  std::string image;                     // the target's name
  std::vector<std::string> shared_with;  // further targets for which this very step counted once
  std::string file;
  int line = 0;
  std::string text;
  StepOutcome outcome = StepOutcome::built;
  std::string from;
  std::string reason;
  double seconds = 0;  // now or, for a hit, when it was recorded
  std::uint64_t bytes = 0;
  std::optional<NetworkRecord> network;  // what was fetched for it; none: not recorded
  // When it began and ended, in seconds from the start of the run; none for a step of an image that was left out.
  std::optional<double> started;
  std::optional<double> ended;
};

// Share of the hits among `steps`; nothing where the whole is zero.
struct ReportRates {
  std::optional<double> steps_pct;
  std::optional<double> bytes_pct;
  std::optional<double> seconds_pct;
};

struct ReportWire {
  std::uint64_t pushed_bytes = 0;
  std::uint64_t pulled_bytes = 0;
  std::uint64_t mounted_bytes = 0;  // of blobs a registry took from another of its repositories
};

// A blob that came from a shared cache because a step needed it.
struct ReportFetch {
  std::string from;  // "registry ghcr.io/acme/cache"
  FetchedKind what = FetchedKind::layer;
  std::string step;  // "RUN pip install ..."; "push"
  std::string digest;
  std::uint64_t bytes = 0;

  bool operator==(const ReportFetch&) const = default;
};

// What the profiles of one image share: "memory-fusion-hub mainpc and pc2 share all 9 layers, 98.3 MB".
struct ReportSharing {
  std::string name;
  std::vector<std::string> profiles;
  std::size_t layers = 0;  // of the profile with the most
  std::size_t shared_layers = 0;
  std::uint64_t shared_bytes = 0;

  bool all() const noexcept { return shared_layers == layers; }
  std::string text() const;
};

// The images of the run as one. `stored` counts each distinct layer once. Before and after are compared over the
// images that have a baseline: reduction_pct by stored bytes (before-images, too, share what they share),
// mean_reduction_pct as the mean of the images' own.
struct ReportFleet {
  std::size_t images = 0;
  std::size_t layers = 0;         // counted per image
  std::size_t stored_layers = 0;  // distinct
  std::uint64_t compressed_bytes = 0;
  std::uint64_t unpacked_bytes = 0;
  std::uint64_t stored_bytes = 0;
  std::uint64_t stored_unpacked_bytes = 0;
  std::uint64_t compared_bytes = 0;  // stored bytes of the images with a baseline
  std::uint64_t baseline_bytes = 0;  // stored bytes of their baselines
  std::uint64_t compared_unpacked_bytes = 0;
  std::uint64_t baseline_unpacked_bytes = 0;     // 0 where it is not known of each
  std::optional<double> reduction_pct;           // of baseline_bytes
  std::optional<double> unpacked_reduction_pct;  // of baseline_unpacked_bytes
  std::optional<double> mean_reduction_pct;
  // Of compared_unpacked_bytes and baseline_unpacked_bytes; none where not each layer was looked into.
  std::optional<ContentBytes> compared_contents;
  std::optional<ContentBytes> baseline_contents;
};

// What the figures are held against, as far as the definitions say: a figure without a goal is not missed.
struct ReportTargets {
  std::optional<double> reduction_pct_min;
  std::optional<double> reduction_pct_max;
  std::optional<double> cache_hit_pct;
  std::optional<double> build_seconds;
};

struct BuildReport {
  std::string kiln_version;
  UnixSeconds created = 0;
  std::string commit = {};  // that was checked out where the definitions are; empty where that is not known
  std::vector<ReportImage> images;
  std::vector<ReportStep> steps;
  ReportRates rates;
  ReportWire wire;
  std::vector<ReportFetch> fetched;  // in the order in which they came
  double seconds = 0;                // wall time
  ReportFleet fleet;
  std::vector<ReportSharing> sharing;
  ReportTargets targets;
  std::vector<PolicyFinding> policy = {};  // what breaks the fleet's policy and was let through
};

// 100 * part / whole, rounded to two decimals; nothing where whole is zero.
std::optional<double> percent_of(double part, double whole);
// 100 * (1 - bytes / baseline), rounded to two decimals; nothing where the baseline is zero.
std::optional<double> reduction_of(std::uint64_t bytes, std::uint64_t baseline_bytes);

// The rates of a list of steps in which each counts once.
ReportRates rates_of(const std::vector<ReportStep>& steps);

}  // namespace kiln
