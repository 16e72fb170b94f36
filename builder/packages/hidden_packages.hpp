#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "builder/packages/image_packages.hpp"

namespace kiln {

// A package of a lower layer whose own record of its database a higher layer replaces or removes: its bytes travel with
// the image, and no process sees them.
struct HiddenPackage {
  StatedPackage stated;
  std::string location;  // the file that stated it
  std::size_t layer = 0;
  std::size_t hidden_by = 0;           // the layer that did it
  std::uint64_t unpacked_bytes = 0;    // of its files that are hidden, in the layer's tar
  std::uint64_t compressed_bytes = 0;  // their share of the layer's blob, see LayerDensity
};

// In order of layers. `read` is called at most once for a layer, and only for layers of which something is hidden that
// states packages. Throws what `read` throws.
std::vector<HiddenPackage> hidden_packages(const ImageFiles& image, const ReadLayerFiles& read);

}  // namespace kiln
