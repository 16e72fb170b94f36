#include "builder/report/report_text.hpp"

#include <doctest/doctest.h>

#include "base/text.hpp"
#include "builder/report/report_words.hpp"
#include "sample_report.hpp"
#include "tests/support/golden.hpp"

using namespace kiln;

namespace {

void check(const char* name, const BuildReport& report, const ReportTextOptions& options) {
  test::check_golden(fs::path(KILN_GOLDEN_DIR) / name, report_text(test::document_of(report), options));
}

BuildReport failed_report() {
  Recorder recorder;
  recorder.step_started(test::view(1, "", "Dockerfile", 2, "COPY . /app"));
  recorder.step_finished(1, test::result(StepOutcome::built, "k1", 0.2, 1200, "--no-cache"));
  recorder.step_started(test::view(2, "", "Dockerfile", 3, "RUN exit 7"));
  recorder.step_finished(2, test::result(StepOutcome::failed, "k2", 0.05, 0, "'exit 7' ended with exit code 7"));
  Recorder::Run run;
  run.seconds = 400;
  return recorder.report(run);
}

}  // namespace

TEST_CASE("a report reads well on terminals of several widths") {
  check("wide.txt", test::sample_report(), {.width = 120});
  check("usual.txt", test::sample_report(), {.width = 80});
  check("narrow.txt", test::sample_report(), {.width = 60, .most_layers = 2});
}

TEST_CASE("of a fleet that is larger than asked for only what changed is told") {
  check("short.txt", test::sample_report(), {.width = 100, .most_images = 1});
  BuildReport unchanged = test::sample_report();
  std::erase_if(unchanged.steps, [](const ReportStep& step) { return step.outcome != StepOutcome::hit; });
  const std::string text = report_text(test::document_of(unchanged), {.most_images = 1});
  CHECK(text.starts_with("Images  0 of 4 changed; 'kiln report' lists all\n\n  4 images with 11 layers"));
  CHECK(text.find("Layers") == std::string::npos);
  CHECK(text.find("memory-fusion-hub") == std::string::npos);
}

TEST_CASE("colours are there only when asked for") {
  check("colour.txt", test::sample_report(), {.width = 100, .colour = Colour::yes});
  CHECK(report_text(test::document_of(test::sample_report())).find('\x1b') == std::string::npos);
}

TEST_CASE("a build that failed before it made an image is reported too") {
  check("failed.txt", failed_report(), {.width = 100});
}

TEST_CASE("a step that fetched something has a line with what it came to") {
  BuildReport report = test::sample_report();
  ReportStep& step = report.steps.front();
  step.text = "RUN fetch";
  step.network.emplace();
  step.network->add(Download{"http://a/1", "GET", 200, 3, oci::sha256_of("abc")});
  const std::string text = report_text(test::document_of(report), {.width = 100});
  CHECK(text.find("Network of RUN") != std::string::npos);
  CHECK(text.find("RUN fetch\n", text.find("1 download")) != std::string::npos);
}

TEST_CASE("an empty report says what was not measured") { check("empty.txt", BuildReport{}, {}); }

TEST_CASE("no line is wider than the width asked for") {
  for (const std::size_t width : {60, 72, 80, 87, 88, 100, 140}) {
    CAPTURE(width);
    const std::string text = report_text(test::document_of(test::sample_report()), {.width = width});
    for (const std::string_view line : split(text, '\n')) {
      CAPTURE(line);
      CHECK(display_width(line) <= width);
    }
  }
}

TEST_CASE("text from outside cannot drive the terminal") {
  BuildReport report = failed_report();
  report.steps[1].text = "RUN echo \x1b[2J";
  report.steps[1].reason = "\x1b]0;title\x07";
  report.steps[1].file =
      "Docker\x1b"
      "file";
  report.images.push_back({});
  report.images[0].name = "\x1b[31mred";
  report.images[0].layers.push_back(test::layer("x", 5, "f\x07", 1, "RUN \x1b[1m"));
  report.images[0].baseline = ReportBaseline{};
  report.images[0].baseline->reference = "\x1b[0m";
  CHECK(report_text(test::document_of(report)).find_first_of("\x1b\x07") == std::string::npos);
}

TEST_CASE("a layer that is a part of its step is told by what it holds") {
  CHECK(shown_layer("RUN --mount=type=cache,target=/c pip install -r a # torch 2.3.1") ==
        "torch 2.3.1: RUN pip install -r a");
  CHECK(shown_layer("RUN make") == "RUN make");
  CHECK(shown_layer("COPY # /x") == "COPY # /x");
}
