#include "base/clock.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

TEST_CASE("times are written and read in UTC") {
  CHECK(format_rfc3339(0) == "1970-01-01T00:00:00Z");
  CHECK(format_rfc3339(kReproducibleEpoch) == "1980-01-01T00:00:00Z");
  CHECK(format_rfc3339(-1) == "1969-12-31T23:59:59Z");
  for (const UnixSeconds time : {UnixSeconds{0}, kReproducibleEpoch, UnixSeconds{-1}, UnixSeconds{1763700000},
                                 UnixSeconds{4102444800}, UnixSeconds{951782400}}) {
    CHECK(parse_rfc3339(format_rfc3339(time)) == time);
  }
}

TEST_CASE("fractions are cut off and zones are counted") {
  CHECK(parse_rfc3339("1980-01-01T00:00:00.999999999Z") == kReproducibleEpoch);
  CHECK(parse_rfc3339("1980-01-01t01:00:00+01:00") == kReproducibleEpoch);
  CHECK(parse_rfc3339("1979-12-31 18:30:00.5-05:30") == kReproducibleEpoch);
  CHECK(parse_rfc3339("1980-01-01T00:00:00z") == kReproducibleEpoch);
  CHECK(parse_rfc3339("2024-02-29T00:00:00Z") == 1709164800);
}

TEST_CASE("what is no RFC 3339 time is refused") {
  for (const char* bad : {"",
                          "now",
                          "1980-01-01",
                          "1980-01-01T00:00:00",
                          "1980-13-01T00:00:00Z",
                          "1980-00-01T00:00:00Z",
                          "1980-01-32T00:00:00Z",
                          "2023-02-29T00:00:00Z",
                          "1980-01-01T24:00:00Z",
                          "1980-01-01T00:60:00Z",
                          "1980-1-1T00:00:00Z",
                          "-980-01-01T00:00:00Z",
                          "1980-01-01T00:00:00.Z",
                          "1980-01-01T00:00:00+1:00",
                          "1980-01-01T00:00:00+01:00x",
                          "1980-01-01T00:00:00Zx",
                          " 1980-01-01T00:00:00Z",
                          "1980-01-01T00:00:00+-1:00",
                          "1980-01-01T00:00:00+24:00",
                          "315532800"}) {
    CAPTURE(bad);
    CHECK_ERROR(parse_rfc3339(bad), Category::usage, doctest::Contains("is no RFC 3339 time"));
    CHECK_FALSE(parse_rfc3339_if_valid(bad));
  }
}

TEST_CASE("a time outside the years that can be written is refused") {
  CHECK(format_rfc3339(253402300799) == "9999-12-31T23:59:59Z");
  CHECK_ERROR(format_rfc3339(253402300800), Category::usage, "the time 253402300800 is not within the years 0 to 9999");
  CHECK_ERROR(format_rfc3339(INT64_MAX), Category::usage, doctest::Contains("is not within the years 0 to 9999"));
  CHECK_ERROR(format_rfc3339(INT64_MIN), Category::usage, doctest::Contains("is not within the years 0 to 9999"));
}

TEST_CASE("the monotonic clock does not go back") {
  const double before = monotonic_seconds();
  CHECK(monotonic_seconds() >= before);
  CHECK(now_unix_seconds() > kReproducibleEpoch);
}
