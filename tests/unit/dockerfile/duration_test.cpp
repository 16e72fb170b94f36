#include "builder/dockerfile/duration.hpp"

#include "tests/unit/dockerfile/support.hpp"

namespace kiln::dockerfile {
namespace {

TEST_CASE("durations are sums of numbers with units") {
  CHECK(parse_duration("1h2m3s4ms5us6ns") == 3723004005006);
  CHECK(parse_duration("1.5s") == 1500000000);
  CHECK(parse_duration(".5s") == 500000000);
  CHECK(parse_duration("-1s") == -1000000000);
  CHECK(parse_duration("0") == 0);
  for (const char* bad : {"", "5", "s", "1x", "1s2", "+", ".s", "9999999999h"}) CHECK_FALSE(parse_duration(bad));
}

}  // namespace
}  // namespace kiln::dockerfile
