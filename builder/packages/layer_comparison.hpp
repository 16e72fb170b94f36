#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "builder/packages/image_packages.hpp"

namespace kiln {

// A file or folder that is not the same in two layers.
struct EntryDifference {
  enum class Kind : std::uint8_t { only_before, only_after, changed };
  std::string path;
  Kind kind = Kind::changed;
  std::vector<std::string> what = {};  // of a changed one: what_differs(), or "time" where it is nothing but that
};
// "only in the first", "content, mode"
std::string to_string(const EntryDifference& difference);

// Whether two layers hold the same but for times, and for the contents of Python's bytecode, which holds times.
bool is_same_but_for_times(const FileIndex& before, const FileIndex& after);

// Two layers, one of each image, that are not the same and hold packages in the same versions, or none and were made by
// the same line.
struct LayerDifference {
  std::size_t before = 0;  // numbers of layers
  std::size_t after = 0;
  std::vector<std::string> packages;     // "torch 2.3.1", that both have
  std::vector<std::string> only_before;  // packages
  std::vector<std::string> only_after;
  std::vector<EntryDifference> entries;  // in entry order; of packages that both have and others
};

// What two images share, and why not more.
struct LayerComparison {
  std::size_t same_layers = 0;
  std::uint64_t same_bytes = 0;  // compressed
  std::vector<LayerDifference> differences;
  std::vector<std::size_t> only_before;  // layers that have no such partner in the other image
  std::vector<std::size_t> only_after;
};

// An image's packages with the view that they were found in.
struct ComparedImage {
  const ImagePackages& packages;
  const MergedView& view;
};

LayerComparison compare_layers(const ComparedImage& before, const ComparedImage& after);

}  // namespace kiln
