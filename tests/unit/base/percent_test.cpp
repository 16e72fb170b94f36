#include "base/percent.hpp"

#include <doctest/doctest.h>

using namespace kiln;

TEST_CASE("reserved characters are encoded, those that are kept are not") {
  CHECK(percent_encoded("a-b._~/c d%\xff") == "a-b._~%2Fc%20d%25%FF");
  CHECK(percent_encoded("a/b c", "/") == "a/b%20c");
}

TEST_CASE("what is encoded comes back, and what only looks like it stays") {
  const std::string text = "a/b c%\xff";
  CHECK(percent_decoded(percent_encoded(text)) == text);
  CHECK(percent_decoded("1%3a2.0%") == "1:2.0%");
  CHECK(percent_decoded("%zz%4") == "%zz%4");
  CHECK(percent_decoded("%41") == "A");
}
