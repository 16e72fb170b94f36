#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "builder/packages/image_packages.hpp"

namespace kiln {

// A file or folder that is not the same in two layers.
struct EntryDifference {
  enum class Kind : std::uint8_t { only_before, only_after, type, content, link, properties, time };
  std::string path;
  Kind kind = Kind::content;  // the first in which they differ
};
// "only in the first", "other bytes", "another time"
std::string_view to_string(EntryDifference::Kind kind);

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
