#include <doctest/doctest.h>

#include "builder/report/image_causes.hpp"
#include "builder/report/report_document.hpp"
#include "builder/report/report_json.hpp"
#include "sample_report.hpp"

using namespace kiln;

namespace {

ContentBytes contents(std::uint64_t base, std::uint64_t tools, std::uint64_t caches, std::uint64_t duplicates,
                      std::uint64_t packages, std::uint64_t repeated = 0) {
  ContentBytes result;
  result.bytes = {base, tools, caches, duplicates, packages};
  result.repeated = repeated;
  return result;
}

std::int64_t sum_of(const std::vector<CauseShare>& shares) {
  std::int64_t sum = 0;
  for (const CauseShare& share : shares) sum += share.saved_bytes;
  return sum;
}

std::int64_t sum_of(const std::vector<Reduction::Share>& shares) {
  std::int64_t sum = 0;
  for (const Reduction::Share& share : shares) sum += share.cause.saved_bytes;
  return sum;
}

const CauseShare& share_of(const std::vector<CauseShare>& shares, Cause cause) {
  for (const CauseShare& share : shares) {
    if (share.cause == cause) return share;
  }
  FAIL("no such cause");
  return shares.front();
}

}  // namespace

TEST_CASE("what the contents save counts at the compression of before, and the rest is compression's") {
  const auto shares =
      causes_of({contents(400, 300, 100, 100, 100), 500}, {contents(200, 0, 0, 0, 100), 120}, WithSharing::no);
  CHECK(share_of(shares, Cause::base).saved_bytes == 100);
  CHECK(share_of(shares, Cause::build_tools).saved_bytes == 150);
  CHECK(share_of(shares, Cause::caches).saved_bytes == 50);
  CHECK(share_of(shares, Cause::duplicates).saved_bytes == 50);
  CHECK(share_of(shares, Cause::packages).saved_bytes == 0);
  CHECK(share_of(shares, Cause::compression).saved_bytes == 30);
  CHECK(sum_of(shares) == 500 - 120);
}

TEST_CASE("compression alone gets all of it where the contents are the same, and shares that cost count below zero") {
  const auto same = causes_of({contents(10, 0, 0, 0, 20), 30}, {contents(10, 0, 0, 0, 20), 15}, WithSharing::no);
  CHECK(share_of(same, Cause::compression).saved_bytes == 15);
  CHECK(share_of(same, Cause::base).saved_bytes == 0);
  const auto grown = causes_of({contents(10, 0, 0, 0, 20), 30}, {contents(10, 0, 0, 0, 40), 60}, WithSharing::no);
  CHECK(share_of(grown, Cause::packages).saved_bytes == -20);
  CHECK(sum_of(grown) == -30);
}

TEST_CASE("what several images bring stands apart from packages, and shares add up whatever the rounding") {
  const auto shares =
      causes_of({contents(333, 77, 13, 5, 1001, 700), 997}, {contents(100, 1, 0, 0, 301, 3), 301}, WithSharing::yes);
  CHECK(share_of(shares, Cause::sharing).unpacked_before == 700);
  CHECK(share_of(shares, Cause::packages).unpacked_before == 301);
  CHECK(share_of(shares, Cause::packages).unpacked_after == 298);
  CHECK(sum_of(shares) == 997 - 301);
  CHECK(causes_of({}, {contents(1, 0, 0, 0, 0), 1}, WithSharing::yes).empty());
}

TEST_CASE("an image that falls short names its largest layers, and profiles with the same layers are one line") {
  BuildReport report = test::sample_report();
  for (ReportImage& image : report.images) {
    if (!image.baseline) continue;
    image.reduction_pct = 50;
    image.contents = contents(100, 0, 0, 0, 100);
    image.baseline->contents = contents(300, 100, 0, 0, 100);
  }
  const std::vector<Reduction> reductions = ReportDocument(report).reductions;
  REQUIRE(reductions.size() == 1);
  CHECK(reductions[0].name == "memory-fusion-hub");
  CHECK(reductions[0].rest ==
        "39.0 MB base-python/image.json, 31.4 MB memory-fusion-hub/Dockerfile:10, 24.0 MB base-utils/Dockerfile:3");
  CHECK(sum_of(reductions[0].causes) ==
        static_cast<std::int64_t>(reductions[0].before_bytes) - static_cast<std::int64_t>(reductions[0].bytes));
}

TEST_CASE("contents and causes go through JSON and back") {
  BuildReport report = test::sample_report();
  report.images[2].contents = contents(1, 2, 3, 4, 5, 1);
  report.images[2].baseline->contents = contents(10, 20, 30, 40, 50, 10);
  report.fleet.baseline_contents = contents(11, 21, 31, 41, 51, 11);
  report.fleet.compared_contents = contents(6, 7, 8, 9, 10, 2);
  report.fleet.baseline_unpacked_bytes = 155;
  report.fleet.unpacked_reduction_pct = 74.19;
  const std::string text = to_json_text(report);
  const BuildReport back = parse_report(text, "report", Category::usage);
  CHECK(back.images[2].contents == report.images[2].contents);
  CHECK(back.images[2].baseline->contents == report.images[2].baseline->contents);
  CHECK_FALSE(back.images[3].contents);
  CHECK(back.fleet.baseline_contents == report.fleet.baseline_contents);
  CHECK(back.fleet.compared_contents == report.fleet.compared_contents);
  CHECK(back.fleet.unpacked_reduction_pct == 74.19);
  CHECK(fleet_causes(back.fleet) == fleet_causes(report.fleet));
  CHECK(text.find("\"cause\": \"build_tools\"") != std::string::npos);
}
