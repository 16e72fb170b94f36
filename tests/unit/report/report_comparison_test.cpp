#include "builder/report/report_comparison.hpp"

#include <doctest/doctest.h>

#include "builder/report/report_html.hpp"
#include "builder/report/report_markdown.hpp"
#include "sample_report.hpp"

using namespace kiln;

namespace {

bool contains_text(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

ReportLayer layer_of(const std::string& seed, std::uint64_t bytes, int line) {
  return test::layer(seed, bytes, "svc/Dockerfile", line, "RUN step " + seed.substr(0, 1));
}

ReportImage image_of(std::string name, std::string profile, std::vector<ReportLayer> layers) {
  ReportImage image;
  image.name = std::move(name);
  image.profile = std::move(profile);
  image.digest = test::digest_of(image.name + image.profile);
  for (const ReportLayer& layer : layers) image.compressed_bytes += layer.bytes;
  image.layers = std::move(layers);
  return image;
}

// Layer b grew by 500 and moved down a line; a is as it was; `old` is gone, `new` is there.
struct TwoReports {
  BuildReport before;
  BuildReport now;

  TwoReports() {
    const ReportLayer a = layer_of("a", 1000, 2);
    for (const char* profile : {"one", "two"}) {
      before.images.push_back(image_of("svc", profile, {a, layer_of("b1", 2000, 3)}));
      now.images.push_back(image_of("svc", profile, {a, layer_of("b2", 2500, 4)}));
    }
    before.images.push_back(image_of("same", "", {a}));
    now.images.push_back(image_of("same", "", {a}));
    before.images.push_back(image_of("old", "", {layer_of("c", 300, 2)}));
    now.images.push_back(image_of("new", "", {a, layer_of("<b>", 70, 9)}));
  }
};

}  // namespace

TEST_CASE("two reports are compared by image, by line wherever it moved to, and by what an update pulls") {
  const TwoReports two;
  const ReportComparison comparison = compare_reports(two.before, two.now);
  CHECK(comparison.before_bytes == 3300);
  CHECK(comparison.now_bytes == 3570);
  CHECK(comparison.update_bytes == 2570);
  CHECK(comparison.same_images == 1);
  REQUIRE(comparison.images.size() == 3);
  CHECK(comparison.images[0].name == "new");
  CHECK_FALSE(comparison.images[0].before);
  CHECK(comparison.images[0].update_bytes == 1070);
  const ImageChange& changed = comparison.images[1];
  CHECK(changed.name == "svc one, two");
  CHECK(changed.growth() == 500);
  CHECK(changed.update_bytes == 2500);
  REQUIRE(changed.lines.size() == 1);
  CHECK(changed.lines[0].place == "svc/Dockerfile:4");
  CHECK(changed.lines[0].before == 2000);
  CHECK(changed.lines[0].now == 2500);
  CHECK(comparison.images[2].name == "old");
  CHECK_FALSE(comparison.images[2].now);
}

TEST_CASE("packages whose versions differ are named with what they grew by; those that stayed are not") {
  const TwoReports two;
  FileIndex::Parts parts;
  parts.diff_id = test::digest_of("any");
  FileEntry& entry = parts.entries.emplace_back();
  entry.path = "numpy.so";
  entry.size = 4000;
  entry.content = test::digest_of("numpy");
  const auto index = std::make_shared<const FileIndex>(std::move(parts));
  const LayerSources sources{
      [&](const oci::Digest&) { return index; },
      [&](const ReportImage& image, std::size_t number) -> std::shared_ptr<const DiffPackages> {
        const oci::Digest& digest = image.layers[number].digest;
        const char* version = digest == test::digest_of("b1") ? "1.0" : digest == test::digest_of("b2") ? "2.0" : "";
        const auto packages = std::make_shared<DiffPackages>();
        packages->packages.push_back(
            {{Ecosystem::pypi, *version == '\0' ? "idna" : "numpy", *version == '\0' ? "3.6" : version, "", "", "", ""},
             ""});
        packages->owners = {0};
        return packages;
      }};
  const ReportComparison comparison = compare_reports(two.before, two.now, sources);
  REQUIRE(comparison.packages.size() == 1);
  CHECK(comparison.packages[0].name == "pypi numpy");
  CHECK(comparison.packages[0].before == std::vector<std::string>{"1.0"});
  CHECK(comparison.packages[0].now == std::vector<std::string>{"2.0"});
  CHECK(comparison.packages[0].growth == 0);
}

TEST_CASE("packages of an image whose changed layers are not all known are left out, and that is said") {
  const TwoReports two;
  FileIndex::Parts parts;
  parts.diff_id = test::digest_of("any");
  FileEntry& entry = parts.entries.emplace_back();
  entry.path = "numpy.so";
  entry.content = test::digest_of("numpy");
  const auto index = std::make_shared<const FileIndex>(std::move(parts));
  const LayerSources sources{[&](const oci::Digest&) { return index; },
                             [&](const ReportImage& image, std::size_t number) -> std::shared_ptr<const DiffPackages> {
                               if (image.layers[number].digest == test::digest_of("b1")) return nullptr;
                               const auto packages = std::make_shared<DiffPackages>();
                               packages->packages.push_back({{Ecosystem::pypi, "numpy", "2.0", "", "", "", ""}, ""});
                               packages->owners = {0};
                               return packages;
                             }};
  ReportDocument document(two.now);
  document.comparison = compare_reports(two.before, two.now, sources);
  CHECK(document.comparison->unknown_layers == 1);
  CHECK(document.comparison->packages.empty());  // else numpy would seem new
  const std::string said = "Packages of 1 layer that changed are not known here";
  CHECK(contains_text(report_markdown(document), said));
  CHECK(contains_text(report_html(document), said));
}

TEST_CASE("a line that took the place of another of its kind is one with it; others are not") {
  BuildReport before, now;
  before.images.push_back(image_of("svc", "",
                                   {test::layer("p1", 5000, "svc/Dockerfile", 3, "RUN pip install torch==1"),
                                    test::layer("q1", 400, "svc/Dockerfile", 4, "COPY app /app/")}));
  now.images.push_back(image_of("svc", "",
                                {test::layer("p2", 5200, "svc/Dockerfile", 3, "RUN pip install torch==2"),
                                 test::layer("q2", 100, "svc/Dockerfile", 4, "RUN make install")}));
  ReportDocument document(now);
  document.comparison = compare_reports(before, now);
  const std::vector<LineChange>& lines = document.comparison->images.at(0).lines;
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].text == "RUN pip install torch==2");
  CHECK(lines[0].was == "RUN pip install torch==1");
  CHECK(lines[0].before == 5000);
  CHECK(lines[0].now == 5200);
  CHECK(lines[1].text == "RUN make install");
  CHECK(lines[1].was.empty());
  CHECK(lines[2].text == "COPY app /app/");
  CHECK(lines[2].now == 0);
  CHECK(contains_text(report_markdown(document), "| RUN pip install torch==2, was RUN pip install torch==1 |"));
  CHECK(contains_text(report_html(document), "was <code>RUN pip install torch==1</code>"));
}

TEST_CASE("where there were no images nothing has grown, and Markdown says so") {
  const TwoReports two;
  ReportDocument document(two.now);
  document.comparison = compare_reports(BuildReport{}, two.now);
  CHECK(failed_growth(*document.comparison, {.pct = 0}).empty());
  CHECK(contains_text(report_markdown(document), "There is nothing to compare with"));
}

TEST_CASE("the brief form has the gates and the comparison alone") {
  const TwoReports two;
  ReportDocument document(two.now);
  document.comparison = compare_reports(two.before, two.now);
  const std::string markdown = report_markdown(document, {{"too large", "", 0, ""}}, {.is_brief = true});
  CHECK(contains_text(markdown, "too large"));
  CHECK(contains_text(markdown, "Images that changed"));
  CHECK_FALSE(contains_text(markdown, "| figure |"));
}

TEST_CASE("a limit of growth fails for what grew by more, and names the line that grew most") {
  const TwoReports two;
  const ReportComparison comparison = compare_reports(two.before, two.now);
  const auto messages = [&](const GrowthLimit& limit) {
    std::vector<std::string> result;
    for (const GateFailure& failure : failed_growth(comparison, limit)) result.push_back(failure.message);
    return result;
  };
  CHECK(messages({.bytes = 499}) ==
        std::vector<std::string>{"svc one, two grew by 500 B, from 3.00 kB to 3.50 kB, and 499 B are allowed; most at "
                                 "svc/Dockerfile:4, +500 B"});
  CHECK(messages({.bytes = 500}).empty());
  CHECK(messages({.pct = 17}).empty());
  CHECK(messages({.pct = 8}).size() == 2);  // what is stored grew by 8.2 %
  CHECK(failed_growth(compare_reports(two.before, two.before), {.pct = 0}).empty());
}

TEST_CASE("a line that several images have grew once, in the table and for the gate") {
  BuildReport before, now;
  for (const char* name : {"base", "svc", "tool"}) {
    before.images.push_back(image_of(name, "", {layer_of("b1", 2000, 3)}));
    now.images.push_back(image_of(name, "", {layer_of("b2", 2500, 3)}));
  }
  const ReportComparison comparison = compare_reports(before, now);
  const auto failures = failed_growth(comparison, {.bytes = 499});
  REQUIRE(failures.size() == 2);  // what is stored is one of them
  CHECK(failures[1].message ==
        "base grew by 500 B, from 2.00 kB to 2.50 kB, and 499 B are allowed; most at svc/Dockerfile:3, +500 B, as in 2 "
        "images more");
  ReportDocument document(now);
  document.comparison = comparison;
  CHECK(contains_text(report_markdown(document, {}, {.is_brief = true}),
                      "| +500 B | base, svc, tool | svc/Dockerfile:3 | RUN step b |"));
}

TEST_CASE("Markdown and the page show the comparison first, and nothing from outside becomes markup") {
  const TwoReports two;
  ReportDocument document(two.now);
  document.comparison = compare_reports(two.before, two.now);
  const std::string markdown = report_markdown(document);
  CHECK(markdown.find("Images that changed") < markdown.find("| figure |"));
  CHECK(contains_text(markdown, "| svc one, two | 3.00 kB | 3.50 kB | +500 B | 2.50 kB |"));
  CHECK(contains_text(markdown, "| +500 B | svc one, two | svc/Dockerfile:4 | RUN step b |"));
  CHECK(contains_text(markdown, "| old | 300 B | gone | -300 B | 0 B |"));
  const std::string page = report_html(document);
  CHECK(contains_text(page, "<section id=\"comparison\""));
  CHECK(contains_text(page, "<a href=\"#comparison\">"));
  CHECK(contains_text(page, "an update pulls 2.50 kB"));
  CHECK_FALSE(contains_text(report_html(ReportDocument(two.now)), "comparison"));
}
