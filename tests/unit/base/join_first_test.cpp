#include "base/join_first.hpp"

#include <doctest/doctest.h>

using namespace kiln;

TEST_CASE("a list is cut behind its first items, with the number of the others") {
  CHECK(join_first({}, 2).empty());
  CHECK(join_first({"a", "b"}, 2) == "a, b");
  CHECK(join_first({"a", "b", "c"}, 2) == "a, b and 1 more");
}
