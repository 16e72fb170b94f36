#include <doctest/doctest.h>

#include "base/base64.hpp"
#include "builder/report/report_html.hpp"
#include "builder/report/report_json.hpp"
#include "builder/report/report_markdown.hpp"
#include "builder/report/report_prometheus.hpp"
#include "builder/report/report_text.hpp"
#include "sample_report.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

namespace {

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::size_t occurrences(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

// With waste in the two images that share the layer, and text that would be markup.
BuildReport report_with_waste() {
  BuildReport report = test::sample_report();
  for (ReportImage& image : report.images) {
    if (image.name != "memory-fusion-hub") continue;
    image.waste = {Waste{WasteKind::hidden, 1, 3, 5'000'000, 2, "usr/lib/x.a", "remove it where it comes from"}};
  }
  report.images[0].name = "<script>alert(1)</script>|`x`";
  report.steps[2].reason = "<b>bold</b> | @somebody";
  return report;
}

}  // namespace

TEST_CASE("Prometheus text has help and type for each metric, escaped labels, ratios and no figure that is not there") {
  BuildReport report = test::sample_report();
  report.images[0].name = "a\"b\\c\nd\x1b";
  const std::string text = report_prometheus(test::document_of(report));
  CHECK(contains(text, "kiln_image_compressed_bytes{image=\"a\\\"b\\\\c\\nd\\\\x1b\",profile=\"\"} 39000000\n"));
  CHECK(contains(text, "# HELP kiln_cache_hit_ratio "));
  CHECK(contains(text, "# TYPE kiln_cache_hit_ratio gauge\n"));
  CHECK(contains(text, "kiln_cache_hit_ratio{by=\"steps\"} 0.8\n"));
  CHECK(contains(text, "kiln_wire_bytes{direction=\"mounted\"} 63000000\n"));
  CHECK(occurrences(text, "kiln_image_reduction_ratio{") == 2);
  CHECK(text.back() == '\n');
  CHECK_FALSE(contains(report_prometheus(test::document_of(BuildReport{})), "kiln_cache_hit_ratio{"));
}

TEST_CASE("Markdown shows figures, images, misses and waste, and nothing from outside becomes markup") {
  const std::string text = report_markdown(test::document_of(report_with_waste()));
  CHECK(contains(text, "| cache hits by steps | 80.0 % | 70 % | :white_check_mark: |"));
  CHECK(contains(text, "memory-fusion-hub/Dockerfile:10"));
  CHECK(contains(text,
                 "| 5.00 MB | hidden | base-utils/Dockerfile:3 | memory-fusion-hub mainpc, memory-fusion-hub pc2 | "
                 "/usr/lib/x.a |"));
  CHECK_FALSE(contains(text, "<script>"));
  CHECK(contains(text, "&lt;script&gt;alert(1)&lt;/script&gt;\\|\\`x\\`"));
  CHECK_FALSE(contains(text, "<b>"));
  CHECK(contains(text, "&#64;somebody"));
}

TEST_CASE("figures that no definition set a target for are shown and not judged") {
  BuildReport report = test::sample_report();
  report.targets = {};
  const BuildReport back = parse_report(to_json_text(report), "report", Category::usage);
  CHECK_FALSE(back.targets.reduction_pct_min);
  CHECK_FALSE(back.targets.build_seconds);
  const std::string markdown = report_markdown(test::document_of(back));
  CHECK(contains(markdown, "| figure | value |\n|---|---:|\n"));
  CHECK(contains(markdown, "| cache hits by steps | 80.0 % |\n"));
  CHECK_FALSE(contains(markdown, ":x:"));
  CHECK_FALSE(contains(markdown, "not measured"));
  const std::string page = report_html(test::document_of(back));
  CHECK_FALSE(contains(page, "class=\"missed\""));
  CHECK_FALSE(contains(page, "class=\"met\""));
}

TEST_CASE("many images that waste the same are named by some, and by all of them where the page is asked") {
  BuildReport report = report_with_waste();
  const ReportImage service = report.images[2];
  for (int i = 0; i < 108; ++i) {
    report.images.push_back(service);
    report.images.back().name = "svc" + std::to_string(i);
  }
  const std::string some = "memory-fusion-hub mainpc, memory-fusion-hub pc2 and 108 more";
  const std::string markdown = report_markdown(test::document_of(report));
  CHECK(contains(markdown, "| " + some + " |"));
  const std::string page = report_html(test::document_of(report));
  CHECK(contains(page, "<details><summary>" + some + "</summary>memory-fusion-hub mainpc, "));
  CHECK(contains(page, "svc107 mainpc</details>"));
}

TEST_CASE("Markdown stays below its limit and says what it leaves out") {
  BuildReport report = test::sample_report();
  const ReportStep missed = report.steps[2];
  for (int i = 0; i < 3000; ++i) report.steps.push_back(missed);
  ReportMarkdownOptions options;
  options.most_bytes = 64 << 10;
  const std::string text = report_markdown(test::document_of(report), {}, options);
  CHECK(text.size() <= options.most_bytes);
  CHECK(contains(text, "more left out"));
}

TEST_CASE("a gate that failed stands first, with its line") {
  const std::vector<GateFailure> failures = {{"too large", "images/a/Dockerfile", 7, "RUN x"}};
  const std::string markdown = report_markdown(test::document_of(test::sample_report()), failures);
  CHECK(markdown.find("too large") < markdown.find("| figure |"));
  CHECK(contains(markdown, "images/a/Dockerfile:7"));
  CHECK(contains(report_html(test::document_of(test::sample_report()), {}, failures),
                 "too large<br><code>images/a/Dockerfile:7 RUN x</code>"));
}

TEST_CASE("the page needs nothing from elsewhere and escapes what came from outside") {
  const std::string page = report_html(test::document_of(report_with_waste()));
  CHECK(page.starts_with("<!doctype html>"));
  CHECK(occurrences(page, "<script") == 2);  // the data and the page's own
  CHECK(occurrences(page, "</script>") == 2);
  CHECK_FALSE(contains(page, "src="));
  CHECK_FALSE(contains(page, " style="));
  CHECK_FALSE(contains(page, "url("));
  CHECK_FALSE(contains(page, "innerHTML"));
  CHECK(occurrences(page, "href=") == occurrences(page, "href=\"#"));
  CHECK_FALSE(contains(page, "<b>bold"));
  CHECK(contains(page, "&lt;script&gt;"));
  for (const char* part : {"Where the bytes are", "The build", "Images", "Steps that were not in the cache", "Waste"}) {
    CAPTURE(part);
    CHECK(contains(page, part));
  }
  CHECK_FALSE(contains(page, "The last builds"));
}

TEST_CASE("the page's policy admits its own script and style by their digests, and nothing else") {
  const std::string page = report_html(test::document_of(test::sample_report()));
  const auto between = [&](std::string_view begin, std::string_view end) {
    const std::size_t from = page.find(begin) + begin.size();
    return page.substr(from, page.find(end, from) - from);
  };
  const std::string policy = between("Content-Security-Policy\" content=\"", "\"");
  const auto source_of = [](std::string_view text) {
    const std::string digits(oci::sha256_of(text).hex());
    std::string bytes;
    for (std::size_t i = 0; i < digits.size(); i += 2)
      bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
    return "'sha256-" + base64_encoded(bytes) + "'";
  };
  CHECK(policy == "default-src 'none'; script-src " + source_of(between("<script>", "</script>")) + "; style-src " +
                      source_of(between("<style>", "</style>")) + "; base-uri 'none'; form-action 'none'");
}

TEST_CASE("earlier builds make a trend, a point for each build and figure") {
  const BuildReport report = test::sample_report();
  const std::string page = report_html(test::document_of(report), {report, report});
  CHECK(contains(page, "The last builds"));
  CHECK(occurrences(page, "<circle") == 9);
}

TEST_CASE("waste is told once for each layer, with all that is wasted in it") {
  BuildReport report = report_with_waste();
  for (ReportImage& image : report.images) {
    if (image.waste) image.waste->push_back({WasteKind::cache, 1, 1, 300'000, 7, "var/cache/x", "remove the cache"});
  }
  const std::string page = report_html(test::document_of(report));
  const std::string waste = page.substr(page.find("<section id=\"waste\""));
  CHECK(occurrences(waste, "<tr><th scope=\"row\">") == 1);
  CHECK(contains(waste, ">5.30 MB<"));
  CHECK(contains(waste, "<b>5.00 MB</b> hidden because of <code>memory-fusion-hub/Dockerfile:14</code>"));
  CHECK(contains(waste, "<b>300 kB</b> cache: <code>/var/cache/x</code> and 6 more"));
  CHECK(contains(waste, ">2 images<"));
}

TEST_CASE("waste, limits and times go through JSON and back") {
  BuildReport report = report_with_waste();
  report.images[1].limit_bytes = 12345;
  const BuildReport back = parse_report(to_json_text(report), "report", Category::usage);
  CHECK(back.images[1].limit_bytes == 12345);
  CHECK_FALSE(back.images[0].limit_bytes);
  REQUIRE(back.images[2].waste);
  CHECK(*back.images[2].waste == *report.images[2].waste);
  CHECK_FALSE(back.images[0].waste);
  REQUIRE(back.steps[0].started);
  CHECK(*back.steps[0].started == doctest::Approx(*report.steps[0].started).epsilon(0.001));
  CHECK_FALSE(back.steps.back().started);
}

TEST_CASE("a report whose waste names a layer that is not there is refused") {
  BuildReport report = report_with_waste();
  report.images[2].waste->front().because = 99;
  CHECK_ERROR(parse_report(to_json_text(report), "report", Category::usage), Category::usage,
              doctest::Contains("no such layer"));
}

TEST_CASE("what breaks the policy stands in every format, and is read again") {
  BuildReport report = test::sample_report();
  CHECK_FALSE(contains(report_markdown(test::document_of(report)), "### Policy"));
  CHECK_FALSE(contains(report_html(test::document_of(report)), "id=\"policy\""));
  CHECK_FALSE(contains(to_json_text(report), "\"policy\""));
  report.policy = {
      {"packages", PolicyLevel::warn, "app", {"images/app/Dockerfile", 3}, "x 1 <may> not be there", "leave x out"}};
  CHECK(contains(
      report_markdown(test::document_of(report)),
      "\n### Policy\n\n| level | rule | line | what breaks it | what would satisfy it |\n|---|---|---|---|---|\n"
      "| warn | packages | images/app/Dockerfile:3 | x 1 &lt;may&gt; not be there | leave x out |\n"));
  CHECK(contains(report_html(test::document_of(report)), "x 1 &lt;may&gt; not be there"));
  const std::string text = report_text(test::document_of(report), {.width = 120});
  CHECK(contains(text, "Policy  1 finding\n"));
  CHECK(contains(text, "warn: images/app/Dockerfile:3: packages: x 1 <may> not be there; leave x out\n"));
  CHECK(parse_report(to_json_text(report), "r", Category::usage).policy == report.policy);
}
