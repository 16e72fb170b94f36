#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/packages/hidden_packages.hpp"
#include "builder/packages/image_packages.hpp"

namespace kiln {

// An instruction of a definition that made layers.
struct StepLine {
  std::string file;
  int line = 0;
  std::string text;

  auto operator<=>(const StepLine&) const = default;
};

// The newest build of an image, as advice is given on it.
struct AdvisedImage {
  // A layer's line; none where a foreign base image brings it. A cut layer is one of the packages' that a step was cut
  // into (layer_cut.hpp): it is the same in all images that have the same packages in it.
  struct Origin {
    std::optional<StepLine> line;
    bool is_cut = false;
  };

  std::vector<std::string> names;  // images with the same layers (profiles of one) are one
  ImagePackages packages;
  std::vector<Origin> origins;        // of each layer
  std::vector<HiddenPackage> hidden;  // of lower layers
};

// A line to change, and to what.
struct AdvisedChange {
  StepLine at;
  std::string action;   // "install torch 2.3.1, not 2.3.0"
  std::string package;  // where it is about one: its name, and what to look for and to put there
  std::string from = {};
  std::string to = {};  // empty: leave it out

  bool operator==(const AdvisedChange&) const = default;
};

// What could be changed, and what that comes to. Bytes are compressed ones, and those of blobs as a registry has them;
// a negative number is a cost. They are exact where whole layers go, else a package's share of its layer's blob
// (`is_share`).
//
// | Kind    | fleet_bytes: the registry holds less       | update_bytes: a machine that has all images pulls less |
// |---------|--------------------------------------------|-------------------------------------------------------------|
// | align   | one copy instead of one for each version   | when the package changes in all its images | | hoist   | one
// copy instead of one for each child     | when something else changes in the lines that have it now   | | twice   |
// the copy that nothing sees                 | when the line that brings it changes                        | | reorder
// | what each recorded update left there       | a recorded update, on average                               |
struct Advice {
  enum class Kind : std::uint8_t { align, hoist, twice, reorder };
  Kind kind = Kind::align;
  std::vector<std::string> packages;  // "torch"; of a reorder none
  std::string title;                  // one sentence: what was found
  std::vector<AdvisedChange> changes;
  bool needs_cut = false;  // with "layers": {"by": "package"} only
  bool is_share = false;
  std::map<std::string, std::int64_t> image_bytes;  // a machine that has nothing pulls less; images of 0 are left out
  std::int64_t fleet_bytes = 0;
  std::int64_t update_bytes = 0;
};
inline std::int64_t signed_bytes(std::uint64_t bytes) { return static_cast<std::int64_t>(bytes); }
// "align"
std::string_view to_string(Advice::Kind kind);

// What is less than this is not worth a change.
inline constexpr std::int64_t kLeastAdvisedBytes = std::int64_t{64} << 10;

// The largest saving first, by what the fleet or an update saves; what saves less than `least` in both is left out.
void sort_advice(std::vector<Advice>& advice, std::int64_t least = kLeastAdvisedBytes);

// What packages of a fleet's newest images could be changed. Linear in layers and packages. In no order.
//
// - align: a package in several versions, at the same place in several images, is to be the newest of them everywhere.
//   Equal layers come of it where they are cut along packages: counted are layers that come to hold the same packages
//   as another one, and packages that are large enough for a layer of their own, which only need the cut.
// - hoist: a package that more than half of a base's children bring, in layers of their own, is to be in the base.
// - twice: a package of a lower layer that a higher one replaces or removes; a distribution in two site-packages.
std::vector<Advice> package_advice(const std::vector<AdvisedImage>& images);

}  // namespace kiln
