#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "builder/layer/file_entry.hpp"
#include "builder/packages/diff_packages.hpp"

namespace kiln {

// How what a step wrote is cut into layers along the packages that it installed, so that equal packages are equal
// layers in any image and a changed one moves only its own bytes. Whether a package has a layer of its own, or which
// pool it is in, depends on the package alone: never on what else is installed.
//
//   1. What is removed: whiteouts and opaque marks. They are about the layers below, so they come first.
//   2. A layer for each package of more than `own_layer_bytes` of tar, larger ones first: programs that know a layer by
//      all that lies below it (docker) then move least when a small package changes. Sizes count by powers of two, so
//      that a package that grows a little keeps its place.
//   3. The others in kPools pools for each ecosystem, by a hash of their name: a package that comes or goes changes one
//      pool, where filling layers up to a size would move all that follow.
//   4. The rest: files of no package.
//
// Each layer has the folders above its entries. A step that installed nothing is one layer. Rejected: a layer for every
// package (engines start no image with more than 127 layers), and the rest at the bottom (it changes most).
inline constexpr std::size_t kPools = 8;
inline constexpr std::uint64_t kOwnLayerBytes = std::uint64_t{8} << 20;
// Part of the key of a step that is cut: another number where the same files would be cut otherwise.
inline constexpr int kCutVersion = 2;

struct CutRules {
  std::uint64_t own_layer_bytes = kOwnLayerBytes;
  std::size_t most_layers = 64;  // at least 1
};

struct LayerPart {
  std::string contents;              // for people: "torch 2.3.1"; empty where it is all of the step
  std::vector<std::size_t> entries;  // numbers of the diff's entries, ascending; folders are in several parts

  bool operator==(const LayerPart&) const = default;
};

struct LayerCut {
  std::vector<LayerPart> parts;  // at least one
  // The size from which packages have layers of their own, doubled until the layers are few enough; nullopt where no
  // size is large enough: then each ecosystem is one pool, or everything one layer.
  std::optional<std::uint64_t> own_layer_bytes;
};

// `diff` is in entry order and has the folders above each of its entries (but the root). All names of one file are in
// one layer: that of the package, where only one has any of them, else the rest.
LayerCut cut_layers(const std::vector<FileEntry>& diff, const DiffPackages& found, const CutRules& rules);

// The pool of a package: 0 to kPools - 1.
std::size_t pool_of(const StatedPackage& package);

}  // namespace kiln
