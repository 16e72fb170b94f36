#include "base/append_format.hpp"

#include <doctest/doctest.h>

using namespace kiln;

TEST_CASE("what is formatted comes behind what the text holds") {
  std::string text = "mode ";
  append_format(text, "{:o} {}", 0755U, "x");
  append_format(text, ":{}", std::uint64_t{18446744073709551615U});
  CHECK(text == "mode 755 x:18446744073709551615");
}
