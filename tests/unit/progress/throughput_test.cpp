#include "builder/cli/progress/throughput.hpp"

#include <doctest/doctest.h>

using kiln::Throughput;

TEST_CASE("a rate is that of the last five seconds") {
  Throughput speed;
  CHECK(speed.rate(0) == 0);
  speed.add(0, 0);
  speed.add(1, 1000);
  CHECK(speed.rate(1) == 1000);
  CHECK(speed.rate(2) == 500);
  speed.add(4, 5000);
  CHECK(speed.rate(4) == 1500);
  CHECK(speed.rate(8) == 1250);
  CHECK(speed.rate(100) == 0);
}

TEST_CASE("a moment is too short to tell a rate by") {
  Throughput speed;
  speed.add(1, 0);
  speed.add(1.1, 1000000);
  CHECK(speed.rate(1.2) == 0);
}
