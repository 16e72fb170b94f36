#include "builder/retention/retention_policy.hpp"

#include <doctest/doctest.h>

using namespace kiln;

namespace {

std::vector<std::string> kept(const Retention& retention, const std::vector<std::string>& times) {
  std::vector<std::optional<UnixSeconds>> dates;
  for (const std::string& time : times)
    dates.push_back(time.empty() ? std::nullopt : std::optional(parse_rfc3339(time)));
  return kept_by_age(retention, dates);
}

std::size_t count_kept(const std::vector<std::string>& reasons) {
  return reasons.size() - static_cast<std::size_t>(std::count(reasons.begin(), reasons.end(), ""));
}

constexpr Retention kNothing{0, 0, 0, 0};

}  // namespace

TEST_CASE("the last images are kept, whatever order they are given in") {
  const std::vector<std::string> times = {"2026-11-01T00:00:00Z", "2026-11-03T00:00:00Z", "2026-11-02T00:00:00Z"};
  CHECK(kept({2, 0, 0, 0}, times) == std::vector<std::string>{"", "last 2", "last 2"});
  CHECK(kept({5, 0, 0, 0}, times) == std::vector<std::string>{"last 5", "last 5", "last 5"});
  CHECK(kept(kNothing, times) == std::vector<std::string>{"", "", ""});
  CHECK(kept({-1, -1, -1, -1}, times) == std::vector<std::string>{"", "", ""});
}

TEST_CASE("of two images with the same date the one given first is the newer") {
  CHECK(kept({1, 0, 0, 0}, {"2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z"}) == std::vector<std::string>{"last 1", ""});
}

TEST_CASE("the newest image of each of the last days that have one is kept") {
  CHECK(kept({0, 2, 0, 0},
             {"2026-11-21T23:59:59Z", "2026-11-21T00:00:00Z", "2026-11-20T12:00:00Z", "2026-11-01T12:00:00Z"}) ==
        std::vector<std::string>{"daily 2026-11-21", "", "daily 2026-11-20", ""});
  // A pause of a year costs nothing.
  CHECK(kept({0, 2, 0, 0}, {"2026-11-21T10:00:00Z", "2025-11-01T12:00:00Z", "2025-10-31T12:00:00Z"}) ==
        std::vector<std::string>{"daily 2026-11-21", "daily 2025-11-01", ""});
}

TEST_CASE("weeks are ISO weeks, which cross the year") {
  CHECK(kept({0, 0, 4, 0}, {"2027-01-04T00:00:00Z", "2027-01-03T00:00:00Z", "2026-12-28T00:00:00Z",
                            "2026-12-27T00:00:00Z", "2024-12-30T00:00:00Z"}) ==
        std::vector<std::string>{"weekly 2027-W01", "weekly 2026-W53", "", "weekly 2026-W52", "weekly 2025-W01"});
}

TEST_CASE("months are kept by their newest image") {
  CHECK(kept({0, 0, 0, 3}, {"2026-03-01T00:00:00Z", "2026-02-28T00:00:00Z", "2026-02-01T00:00:00Z",
                            "2025-12-31T00:00:00Z", "2025-11-30T00:00:00Z"}) ==
        std::vector<std::string>{"monthly 2026-03", "monthly 2026-02", "", "monthly 2025-12", ""});
}

TEST_CASE("an image is told every rule that keeps it") {
  CHECK(kept({1, 1, 1, 1}, {"2026-11-21T10:00:00Z"}) ==
        std::vector<std::string>{"last 1, daily 2026-11-21, weekly 2026-W47, monthly 2026-11"});
}

TEST_CASE("an image without a date is kept and takes nobody's place") {
  CHECK(kept({1, 0, 0, 0}, {"", "2026-11-21T10:00:00Z", ""}) ==
        std::vector<std::string>{"no date", "last 1", "no date"});
  CHECK(kept({1, 0, 0, 0}, {}).empty());
}

TEST_CASE("two builds a day for a year come down to what the rules name") {
  std::vector<std::optional<UnixSeconds>> dates;
  const UnixSeconds first = parse_rfc3339("2025-11-22T08:00:00Z");
  for (int day = 0; day < 365; ++day) {
    for (const int hours : {0, 8}) dates.emplace_back(first + (day * 24 + hours) * UnixSeconds{3600});
  }
  const auto reasons = kept_by_age({10, 7, 4, 3}, dates);
  // Last 10: 5 days of two. Daily adds the evenings of 17 to 15 November, weekly the Sundays of W46 to W44 (15, 8, 1
  // November), of which the 15th is there; monthly adds 31 October and 30 September.
  CHECK(count_kept(reasons) == 10 + 2 + 2 + 2);
  CHECK(reasons.back() == "last 10, daily 2026-11-21, weekly 2026-W47, monthly 2026-11");
}

TEST_CASE("a tag tells its day where a day stands alone in it") {
  const UnixSeconds day = parse_rfc3339("2026-11-21T00:00:00Z");
  for (const char* tag : {"20261121", "20261121-1f00ab34cdef", "pc2-20261121", "v_20261121.rc"}) {
    CAPTURE(tag);
    CHECK(date_in_tag(tag) == day);
  }
  for (const char* tag : {"", "latest", "1.2.3", "20261321-x", "20260230", "120261121", "a20261121", "99999999",
                          "19991231", "20261120-20261121", "12345678"}) {
    CAPTURE(tag);
    CHECK_FALSE(date_in_tag(tag).has_value());
  }
}
