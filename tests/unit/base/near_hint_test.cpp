#include "base/near_hint.hpp"

#include <doctest/doctest.h>

using namespace kiln;

TEST_CASE("the nearest candidate is asked for, and nothing where none is near") {
  CHECK(near_question("puhs", {"build", "push"}) == "did you mean 'push'?");
  CHECK(near_hint("puhs", {"build", "push"}) == "; did you mean 'push'?");
  CHECK(near_question("zzzzzz", {"build", "push"}).empty());
  CHECK(near_hint("zzzzzz", {"build", "push"}).empty());
  CHECK(near_hint("x", {}).empty());
}

TEST_CASE("a candidate is printed as what it may be: text of others") {
  CHECK(near_question("abc", {"ab\x1b[c"}) == "did you mean 'ab\\x1b[c'?");
}
