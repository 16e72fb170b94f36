#include "base/count_of.hpp"

#include <doctest/doctest.h>

using namespace kiln;

TEST_CASE("one is said in the singular, and everything else in the plural") {
  CHECK(count_of(0, "image") == "0 images");
  CHECK(count_of(1, "image") == "1 image");
  CHECK(count_of(2, "image") == "2 images");
}
