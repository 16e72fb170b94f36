#include "builder/report/treemap.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace kiln {

namespace {

// How far from a square the worst rectangle of a row is, whose areas sum to `sum` along a side of this length.
double worst_ratio(double largest, double smallest, double sum, double side) {
  const double side2 = side * side;
  const double sum2 = sum * sum;
  return std::max(side2 * largest / sum2, sum2 / (side2 * smallest));
}

}  // namespace

std::vector<Rect> squarified(const std::vector<double>& weights, const Rect& area) {
  std::vector<Rect> result(weights.size());
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  if (total <= 0 || area.width <= 0 || area.height <= 0) return result;
  const double scale = area.width * area.height / total;
  Rect rest = area;
  std::size_t first = 0;
  while (first < weights.size() && weights[first] > 0) {
    const double side = std::min(rest.width, rest.height);
    double sum = weights[first] * scale;
    std::size_t end = first + 1;
    double ratio = worst_ratio(sum, sum, sum, side);
    // The row takes what makes its rectangles squarer.
    while (end < weights.size() && weights[end] > 0) {
      const double next = weights[end] * scale;
      const double wider = worst_ratio(weights[first] * scale, next, sum + next, side);
      if (wider > ratio) break;
      ratio = wider;
      sum += next;
      ++end;
    }
    const double thickness = sum / side;
    double along = 0;
    for (std::size_t i = first; i < end; ++i) {
      const double length = weights[i] * scale / thickness;
      if (rest.width >= rest.height) {
        result[i] = {rest.x, rest.y + along, thickness, length};
      } else {
        result[i] = {rest.x + along, rest.y, length, thickness};
      }
      along += length;
    }
    if (rest.width >= rest.height) {
      rest.x += thickness;
      rest.width = std::max(0.0, rest.width - thickness);
    } else {
      rest.y += thickness;
      rest.height = std::max(0.0, rest.height - thickness);
    }
    first = end;
    if (rest.width <= 0 || rest.height <= 0) break;
  }
  return result;
}

}  // namespace kiln
