#include "builder/packages/version_range.hpp"

#include <doctest/doctest.h>

#include "tests/support/check_error.hpp"

using namespace kiln;

TEST_CASE("a version range is a list of comparisons that all hold") {
  const VersionRange range = VersionRange::parse(">= 1.0, <1.4.2, != 1.3");
  CHECK(range.contains(Ecosystem::pypi, "1.0"));
  CHECK(range.contains(Ecosystem::pypi, "1.4.1"));
  CHECK_FALSE(range.contains(Ecosystem::pypi, "0.9"));
  CHECK_FALSE(range.contains(Ecosystem::pypi, "1.4.2"));
  CHECK_FALSE(range.contains(Ecosystem::pypi, "1.3.0"));
  CHECK(VersionRange::parse("1.3").contains(Ecosystem::pypi, "1.3.0"));
  CHECK(VersionRange::parse("<=1.3").contains(Ecosystem::npm, "1.3.0"));
  CHECK_FALSE(VersionRange::parse(">1.3").contains(Ecosystem::npm, "1.3.0"));
}

TEST_CASE("alternatives of a version range are told apart by a bar, and a star is every version") {
  const VersionRange range = VersionRange::parse("<1.26.17 | >=2.0.0,<2.0.7");
  CHECK(range.contains(Ecosystem::pypi, "1.26.5"));
  CHECK_FALSE(range.contains(Ecosystem::pypi, "1.26.17"));
  CHECK(range.contains(Ecosystem::pypi, "2.0.6"));
  CHECK_FALSE(range.contains(Ecosystem::pypi, "2.0.7"));
  CHECK(VersionRange::parse("*").contains(Ecosystem::deb, "anything"));
}

TEST_CASE("a range follows the order of its ecosystem") {
  const VersionRange range = VersionRange::parse("<1.0");
  CHECK(range.contains(Ecosystem::deb, "1.0~rc1"));
  CHECK_FALSE(range.contains(Ecosystem::deb, "1.0rc1"));
  CHECK(range.contains(Ecosystem::pypi, "1.0rc1"));
  CHECK(range.contains(Ecosystem::npm, "1.0.0-rc1"));
}

TEST_CASE("a range says what is outside of it") {
  CHECK(VersionRange::parse("<1.26.17 | >=2.0.0,<2.0.7").way_out() == "2.0.7 or newer");
  CHECK(VersionRange::parse("<=1.2").way_out() == "a version newer than 1.2");
  CHECK(VersionRange::parse("1.3.0").way_out() == "a version outside of '1.3.0'");
  CHECK(VersionRange::parse("*").way_out().empty());
}

TEST_CASE("what is no version range is refused") {
  for (const char* text : {"", "<", "1.0,", "^1.2", "1.*", "=>1.0", "1 2", "<1|"}) {
    CAPTURE(text);
    CHECK_ERROR(VersionRange::parse(text), Category::usage, doctest::Contains("expected comparisons such as '<2.0.7'"));
  }
}
