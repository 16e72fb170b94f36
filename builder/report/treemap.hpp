#pragma once

#include <vector>

namespace kiln {

struct Rect {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;
};

// Divides `area` into one rectangle per weight, of an area in proportion to it, as near to squares as can be (Bruls,
// Huizing and van Wijk, "Squarified Treemaps", 2000). Weights are not negative and descend; those of 0 get empty
// rectangles.
std::vector<Rect> squarified(const std::vector<double>& weights, const Rect& area);

}  // namespace kiln
