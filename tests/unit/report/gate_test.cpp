#include "builder/report/gate.hpp"

#include <doctest/doctest.h>

#include "sample_report.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

TEST_CASE("limits are read from the flag, and what is none is refused by name") {
  const GateLimits limits = parse_gate_limits("reduction=55,cache=70.5");
  CHECK(limits.reduction_pct == 55);
  CHECK(limits.cache_pct == 70.5);
  CHECK_FALSE(parse_gate_limits("cache=0").reduction_pct);
  for (const auto& [text, part] : {std::pair{"reductoin=5", "reduction"},
                                   {"cache", "needs a number"},
                                   {"cache=101", "0 to 100"},
                                   {"cache=", "0 to 100"},
                                   {"cache=nan", "0 to 100"},
                                   {"cache=1,cache=2", "twice"},
                                   {"", "unknown"}}) {
    CAPTURE(text);
    CHECK_ERROR(parse_gate_limits(text), Category::usage, doctest::Contains(part));
  }
}

TEST_CASE("a run that reaches what is asked for passes") {
  CHECK(failed_gates(test::sample_report(), {55, 70}).empty());
  CHECK(failed_gates(test::sample_report(), {}).empty());
}

TEST_CASE("too little from the cache names the first step that missed, with its line and reason") {
  const auto failures = failed_gates(test::sample_report(), {{}, 90});
  REQUIRE(failures.size() == 1);
  CHECK(failures[0].file == "memory-fusion-hub/Dockerfile");
  CHECK(failures[0].line == 10);
  CHECK(failures[0].message.find("80.0 % of steps came from the cache, and 90 % are asked for") == 0);
  CHECK(failures[0].message.find("'requirements.txt' changed") != std::string::npos);
}

TEST_CASE("too little reduction names the image that fell least and its largest layer") {
  const auto failures = failed_gates(test::sample_report(), {90, {}});
  REQUIRE(failures.size() == 1);
  CHECK(failures[0].message.find("memory-fusion-hub mainpc fell least") != std::string::npos);
  CHECK(failures[0].file == "base-python/image.json");
}

TEST_CASE("an image above its limits.size fails without being asked") {
  BuildReport report = test::sample_report();
  report.images[1].limit_bytes = 1000;
  report.images[0].limit_bytes = report.images[0].compressed_bytes;
  const auto failures = failed_gates(report, {});
  REQUIRE(failures.size() == 1);
  CHECK(failures[0].message.find("base-utils takes 63.0 MB compressed, and its limits.size is 1.00 kB") == 0);
  CHECK(failures[0].file == "base-python/image.json");
}

TEST_CASE("a figure that was not measured fails its gate") {
  BuildReport report;
  const auto failures = failed_gates(report, {55, 70});
  REQUIRE(failures.size() == 2);
  CHECK(failures[0].message.find("no image has a baseline") != std::string::npos);
  CHECK(failures[1].message.find("no step was looked up") != std::string::npos);
}
