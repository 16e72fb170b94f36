#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "builder/packages/image_packages.hpp"

namespace kiln {

// A layer that several images have: it is stored and moved once.
struct SharedLayer {
  PackageLayer layer;
  std::vector<std::size_t> images;  // their numbers, ascending
};

// A package that several images have in one version. In one layer of all of them it is shared; in several layers its
// bytes are stored and moved once for each.
struct SharedPackage {
  Package package;                   // of the first image
  std::vector<std::size_t> images;   // ascending
  std::size_t copies = 0;            // layers, by their blobs
  std::uint64_t repeated_bytes = 0;  // compressed, of all copies but the largest
};

// What images have in common, the largest first: layers by their compressed bytes, packages by those that are repeated.
struct SharedContents {
  std::vector<SharedLayer> layers;
  std::vector<SharedPackage> packages;
};
SharedContents shared_contents(const std::vector<ImagePackages>& images);

}  // namespace kiln
