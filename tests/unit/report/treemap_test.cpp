#include "builder/report/treemap.hpp"

#include <doctest/doctest.h>

#include <numeric>

using namespace kiln;

TEST_CASE("areas are in proportion to the weights, inside the whole, and do not overlap") {
  const std::vector<double> weights = {600, 600, 400, 300, 200, 200, 100};
  const auto rects = squarified(weights, {10, 20, 60, 40});
  REQUIRE(rects.size() == weights.size());
  for (std::size_t i = 0; i < rects.size(); ++i) {
    CHECK(rects[i].width * rects[i].height == doctest::Approx(weights[i]));
    CHECK(rects[i].x >= 10 - 1e-9);
    CHECK(rects[i].y >= 20 - 1e-9);
    CHECK(rects[i].x + rects[i].width <= 70 + 1e-9);
    CHECK(rects[i].y + rects[i].height <= 60 + 1e-9);
    for (std::size_t j = 0; j < i; ++j) {
      const double wide =
          std::min(rects[i].x + rects[i].width, rects[j].x + rects[j].width) - std::max(rects[i].x, rects[j].x);
      const double high =
          std::min(rects[i].y + rects[i].height, rects[j].y + rects[j].height) - std::max(rects[i].y, rects[j].y);
      CHECK_FALSE((wide > 1e-6 && high > 1e-6));
    }
  }
}

TEST_CASE("nothing to divide gives empty rectangles") {
  CHECK(squarified({}, {0, 0, 10, 10}).empty());
  CHECK(squarified({0, 0}, {0, 0, 10, 10})[1].width == 0);
  const auto rects = squarified({5, 0}, {0, 0, 10, 10});
  CHECK(rects[0].width * rects[0].height == doctest::Approx(100));
  CHECK(rects[1].width == 0);
}
