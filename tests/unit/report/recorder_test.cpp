#include "builder/report/recorder.hpp"

#include <doctest/doctest.h>

#include <thread>

#include "sample_report.hpp"

using namespace kiln;
using test::result;
using test::view;

namespace {

struct Heard {
  int number;
  const char* image;
  StepOutcome outcome;
  const char* key;
};

constexpr StepOutcome kHit = StepOutcome::hit, kBuilt = StepOutcome::built, kFailed = StepOutcome::failed;

BuildReport report_of(const std::vector<Heard>& steps) {
  Recorder recorder;
  for (const Heard& step : steps)
    recorder.step_started(view(step.number, step.image, "Dockerfile", step.number, "RUN x"));
  for (const Heard& step : steps) recorder.step_finished(step.number, result(step.outcome, step.key, 1, 10, "why"));
  return recorder.report({});
}

class Listener final : public BuildObserver {
 public:
  std::string heard;
  void info(std::string_view m) override { heard += "info " + std::string(m) + "\n"; }
  void warn(std::string_view m) override { heard += "warn " + std::string(m) + "\n"; }
  void debug(std::string_view m) override { heard += "debug " + std::string(m) + "\n"; }
  void step_started(const StepView& step) override { heard += "start " + step.text + "\n"; }
  void step_output(int n, std::string_view bytes) override {
    heard += "output " + std::to_string(n) + " " + std::string(bytes) + "\n";
  }
  void step_progress(int, std::string_view what, std::uint64_t done, std::uint64_t total) override {
    heard += "progress " + std::string(what) + " " + std::to_string(done) + "/" + std::to_string(total) + "\n";
  }
  void step_finished(int n, const StepResult& r) override { heard += "end " + std::to_string(n) + " " + r.key + "\n"; }
  void task_finished(int n, std::string_view error) override {
    heard += "task " + std::to_string(n) + " " + std::string(error) + "\n";
  }
};

}  // namespace

TEST_CASE("steps are counted by key, and the strongest outcome of equal steps wins") {
  struct Case {
    const char* what;
    std::vector<Heard> steps;
    std::vector<StepOutcome> outcomes;
    std::optional<double> steps_pct;
  };
  const std::vector<Case> cases = {
      {"nothing", {}, {}, {}},
      {"one hit", {{1, "a", kHit, "k"}}, {kHit}, 100.0},
      {"two different steps", {{1, "a", kHit, "k"}, {2, "a", kBuilt, "l"}}, {kHit, kBuilt}, 50.0},
      {"a hit of two images", {{1, "a", kHit, "k"}, {2, "b", kHit, "k"}}, {kHit}, 100.0},
      {"built, then found in this run", {{1, "a", kBuilt, "k"}, {2, "b", kHit, "k"}}, {kBuilt}, 0.0},
      {"found in this run before it was told to be built", {{1, "a", kHit, "k"}, {2, "b", kBuilt, "k"}}, {kBuilt}, 0.0},
      {"failed for both", {{1, "a", kFailed, "k"}, {2, "b", kFailed, "k"}}, {kFailed}, 0.0},
      {"failures before there was a key", {{1, "a", kFailed, ""}, {2, "b", kFailed, ""}}, {kFailed, kFailed}, 0.0},
      {"one of three missed",
       {{1, "a", kHit, "k"}, {2, "a", kHit, "l"}, {3, "a", kBuilt, "m"}},
       {kHit, kHit, kBuilt},
       66.67},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    const BuildReport report = report_of(c.steps);
    std::vector<StepOutcome> outcomes;
    for (const ReportStep& step : report.steps) outcomes.push_back(step.outcome);
    CHECK(outcomes == c.outcomes);
    CHECK(report.rates.steps_pct == c.steps_pct);
  }
}

TEST_CASE("a step that was a hit and is solved again at its place counts as it ended the second time") {
  Recorder recorder;
  const auto hear = [&](int number, int line, const StepResult& ended) {
    recorder.step_started(view(number, "a", "Dockerfile", line, "RUN x"));
    recorder.step_finished(number, ended);
  };
  hear(1, 1, result(kHit, "lost", 1, 10, "registry"));
  hear(2, 2, result(kHit, "above", 1, 10, "registry"));
  hear(3, 3, result(kBuilt, "made", 1, 10, "why"));
  hear(4, 1, result(kBuilt, "lost", 1, 10, "no cache has its layer any more"));
  hear(5, 2, result(kBuilt, "other", 1, 10, "the layer below is another"));
  std::vector<std::string> keys;
  for (const ReportStep& step : recorder.report({}).steps) keys.push_back(step.key);
  CHECK(keys == std::vector<std::string>{"made", "lost", "other"});
  CHECK(recorder.report({}).rates.steps_pct == 0.0);
  CHECK(recorder.heard_steps().size() == 3);
}

TEST_CASE("a shared step names the image that executed it and the others once each") {
  const BuildReport report = report_of(
      {{1, "a", kHit, "k"}, {2, "b", kBuilt, "k"}, {3, "c", kHit, "k"}, {4, "c", kHit, "k"}, {5, "b", kHit, "k"}});
  REQUIRE(report.steps.size() == 1);
  CHECK(report.steps[0].image == "b");
  CHECK(report.steps[0].line == 2);
  CHECK(report.steps[0].reason == "why");
  CHECK(report.steps[0].shared_with == std::vector<std::string>{"a", "c"});
}

TEST_CASE("tasks and steps that did not end are no steps of the report") {
  Recorder recorder;
  recorder.step_started(view(1, "a", "", 0, "resolve debian:bookworm"));
  recorder.task_finished(1, "");
  recorder.step_started(view(2, "a", "Dockerfile", 2, "RUN sleep 1000"));
  recorder.step_finished(77, result(kBuilt, "k", 1, 1, "never started"));
  CHECK(recorder.report({}).steps.empty());
}

TEST_CASE("bytes over the wire add up") {
  Recorder recorder;
  recorder.add_wire({1, 20, 300});
  recorder.add_wire({4, 50, 600});
  const ReportWire wire = recorder.report({}).wire;
  CHECK(wire.pushed_bytes == 5);
  CHECK(wire.pulled_bytes == 70);
  CHECK(wire.mounted_bytes == 900);
}

TEST_CASE("whatever the recorder hears it passes on") {
  Listener listener;
  Recorder recorder(&listener);
  recorder.info("i");
  recorder.warn("w");
  recorder.debug("d");
  recorder.step_started(view(1, "a", "Dockerfile", 1, "RUN x"));
  recorder.step_output(1, "hello");
  recorder.step_progress(1, "layer", 5, 9);
  recorder.step_finished(1, result(kHit, "k", 0, 0, "local"));
  recorder.task_finished(2, "unreachable");
  CHECK(listener.heard ==
        "info i\nwarn w\ndebug d\nstart RUN x\noutput 1 hello\nprogress layer 5/9\nend 1 k\ntask 2 unreachable\n");
}

TEST_CASE("nothing is kept or passed on before its secrets are taken out, but what a command prints") {
  constexpr const char* kSecret = "hunter2";
  const auto masking = [](std::string_view text) {
    std::string shown(text);
    for (std::size_t at = shown.find(kSecret); at != std::string::npos; at = shown.find(kSecret))
      shown.replace(at, std::string_view(kSecret).size(), "***");
    return shown;
  };
  Listener listener;
  Recorder recorder(&listener, masking);
  recorder.info("i hunter2");
  recorder.warn("w hunter2");
  recorder.debug("d hunter2");
  recorder.step_started(view(1, "a", "", 0, "resolve image hunter2"));
  recorder.step_output(1, "hunter2");
  recorder.step_progress(1, "hunter2", 5, 9);
  recorder.task_finished(1, "no image 'hunter2'");
  recorder.step_started(view(2, "a", "Dockerfile", 1, "RUN x"));
  StepResult failed = result(kFailed, "k", 0, 0, "");
  failed.reason = "mount target '/hunter2'";
  failed.differences = {{"file hunter2", InputDifference::Change::changed, "/hunter2", "/x", "COPY hunter2"}};
  recorder.step_finished(2, failed);
  CHECK(listener.heard ==
        "info i ***\nwarn w ***\ndebug d ***\nstart resolve image ***\noutput 1 hunter2\nprogress *** 5/9\n"
        "task 1 no image '***'\nstart RUN x\nend 2 k\n");
  const std::vector<HeardStep> heard = recorder.heard_steps();
  REQUIRE(heard.size() == 1);
  CHECK(heard[0].result.reason == "mount target '/***'");
  const std::vector<InputDifference> expected = {
      {"file ***", InputDifference::Change::changed, "/***", "/x", "COPY ***"}};
  CHECK(heard[0].result.differences == expected);
}

TEST_CASE("many threads may tell the recorder at once") {
  Recorder recorder;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&recorder, t] {
      for (int i = 0; i < 250; ++i) {
        const int number = t * 250 + i;
        recorder.step_started(view(number, "a", "Dockerfile", number + 1, "RUN x"));
        recorder.step_finished(number, result(kHit, std::to_string(number), 0, 1, "local"));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(recorder.report({}).steps.size() == 1000);
}
