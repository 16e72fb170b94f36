#include "builder/cli/progress/plain_progress.hpp"

#include <doctest/doctest.h>

#include "base/text.hpp"
#include "display_test.hpp"
#include "tests/support/golden.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

PlainProgress::Options github() {
  PlainProgress::Options options;
  options.folds = LogFolds(LogFolds::Service::github, "TOKEN");
  return options;
}

StepView task(int number, std::string text, std::string tally) {
  StepView view = step(number, "", "", 0, 0, std::move(text));
  view.tally = std::move(tally);
  return view;
}

// A fleet in which one step is executed, one fails, and the rest is as it was.
std::string log_of_a_build(PlainProgress::Options options) {
  Stage stage;
  {
    PlainProgress progress(stage.fd.get(), stage.clock(), std::move(options));
    for (int number = 1; number <= 98; ++number) {
      progress.step_started(step(number, "old-" + std::to_string(number), "stage-0", 1, 1, "COPY app ."));
      progress.step_finished(number, hit(number <= 90 ? "local" : "registry ghcr.io/acme/cache"));
    }
    progress.step_started(step(101, "hub-mainpc", "builder", 1, 3, "COPY requirements.txt ."));
    progress.step_missed(101, {"'requirements.txt' changed"});
    stage.now += 0.1;
    progress.step_finished(101, built(0.1, {"'requirements.txt' changed"}));
    progress.step_started(step(102, "hub-mainpc", "builder", 2, 3, "RUN pip install -r requirements.txt"));
    progress.step_missed(102, {"parent layer 2 changed"});
    stage.now += 0.512;
    progress.step_output(102, "Collecting fastapi\nCollect");
    progress.step_started(step(103, "web", "stage-0", 1, 2, "RUN npm ci"));
    progress.step_missed(103, {"no earlier build of this step", MissKind::first_build});
    progress.step_output(103, "npm error code E404\n");
    progress.warn("the cache 'ghcr.io/acme/cache' could not be read: 503");
    stage.now += 11;
    progress.step_output(102, "ing uvicorn\n");
    progress.step_finished(102, built(11.5, {"parent layer 2 changed"}));
    progress.step_output(103, "npm error done");
    progress.step_finished(103, failed("'npm ci' ended with exit code 1\n  | npm error code E404\n  | npm error done"));
    progress.step_started(step(104, "hub-mainpc", "builder", 3, 3, "COPY app ."));
    progress.step_finished(104, stopped());
    for (int number = 105; number <= 107; ++number) {
      progress.step_started(task(number, "push 4f2a (12.3 MB) to ghcr.io/acme/hub", "blobs pushed"));
      progress.step_progress(number, "", 4000000, 4000000);
      progress.task_finished(number, "");
    }
    progress.step_started(step(108, "", "", 0, 0, "pushed ghcr.io/acme/hub:1@4f2a"));
    progress.task_finished(108, "");
    progress.step_started(step(109, "", "", 0, 0, "push ghcr.io/acme/web:1"));
    progress.task_finished(109, "cannot reach 'ghcr.io'");
    progress.info("build-time trust: 142 certificate authorities of the host");
    progress.debug("hidden");
    progress.step_started(step(110, "late", "stage-0", 1, 1, "RUN sleep 100"));
    stage.now += 2;
    progress.step_started(step(111, "later", "stage-0", 1, 1, "RUN true"));
  }
  return stage.written();
}

}  // namespace

TEST_CASE("a build's plain log has a line for what matters and one when it ends, failures last") {
  check_golden(fs::path(KILN_GOLDEN_DIR) / "plain.txt", log_of_a_build({}));
}

TEST_CASE("where the log can be folded, output stands under a step's last line") {
  check_golden(fs::path(KILN_GOLDEN_DIR) / "plain_github.txt", log_of_a_build(github()));
}

TEST_CASE("steps from the cache are one line however many they are") {
  Stage stage;
  {
    PlainProgress progress(stage.fd.get(), stage.clock(), {});
    for (int number = 1; number <= 500; ++number) {
      progress.step_started(step(number, "app", "stage-0", 1, 1, "RUN true"));
      progress.step_finished(number, hit("local"));
      progress.step_started(task(1000 + number, "unchanged ghcr.io/acme/app@4f2a", "names left"));
      progress.task_finished(1000 + number, "");
    }
  }
  CHECK(stage.written() == "500 steps from the cache (500 local)\n500 names left\n");
}

TEST_CASE("a step that several images share counts once, and one that this run executed is told there") {
  Stage stage;
  {
    PlainProgress progress(stage.fd.get(), stage.clock(), {});
    for (int number = 1; number <= 5; ++number) {
      progress.step_started(step(number, "app", "stage-0", 1, 1, "RUN true"));
      StepResult result = hit(number == 5 ? "this run" : "local");
      result.key = number == 4 ? "k2" : number == 5 ? "k3" : "k1";
      progress.step_finished(number, result);
    }
  }
  CHECK(stage.written() == "2 steps from the cache (2 local)\n");
}

TEST_CASE("a step that is slow is told before it ends") {
  Stage stage;
  PlainProgress progress(stage.fd.get(), stage.clock(), {});
  progress.step_started(step(1, "", "", 0, 0, "RUN slow"));
  progress.step_missed(1, {"ARG A changed"});
  stage.now += 0.9;
  progress.step_started(step(2, "", "", 0, 0, "RUN other"));
  CHECK(stage.written().empty());
  stage.now += 0.2;
  progress.step_progress(2, "layer", 1, 2);
  CHECK(stage.written() == "#1 RUN slow (not cached: ARG A changed)\n");
  progress.step_finished(1, built(1.1, "ARG A changed"));
  progress.step_finished(2, built(0.2, "ARG A changed"));
  CHECK(stage.written() ==
        "#1 RUN slow (not cached: ARG A changed)\n#1 DONE 1.1s RUN slow\n"
        "#2 DONE 0.2s RUN other (not cached: ARG A changed)\n");
}

TEST_CASE("a slow step is told by the thread where no event comes") {
  Stage stage;
  PlainProgress::Options options;
  options.ticks = PlainProgress::Ticks::by_thread;
  double seconds = 0;
  PlainProgress progress(
      stage.fd.get(), [&seconds] { return seconds += 1; }, options);
  progress.step_started(step(1, "", "", 0, 0, "RUN slow"));
  while (stage.written().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  CHECK(stage.written() == "#1 RUN slow\n");
}

TEST_CASE("a failure whose output the log ends with is not told twice") {
  Stage stage;
  {
    PlainProgress progress(stage.fd.get(), stage.clock(), {});
    progress.step_started(step(1, "", "", 0, 0, "RUN make"));
    progress.step_output(1, "cc: no such file\n");
    progress.step_finished(1, failed("'make' ended with exit code 2\n  | cc: no such file\n"));
  }
  CHECK(stage.written() ==
        "#1 RUN make\n#1 0.000 cc: no such file\n#1 ERROR 0.0s RUN make\n#1 ERROR: 'make' ended with exit code 2\n");
}

TEST_CASE("a failure that several images share is told once at the end") {
  for (const int executed : {1, 2}) {
    Stage stage;
    {
      PlainProgress progress(stage.fd.get(), stage.clock(), github());
      for (const int number : {1, 2}) progress.step_started(step(number, "app", "", 0, 0, "RUN make"));
      progress.step_output(executed, "cc: no such file\n");
      for (const int number : {1, 2}) progress.step_finished(number, failed("'make' ended with exit code 2"));
    }
    const std::string n = std::to_string(executed);
    CHECK(stage.written() == "#1 ERROR 0.0s [app] RUN make\n#2 ERROR 0.0s [app] RUN make\n\n#" + n +
                                 " [app] RUN make\n#" + n + " 0.000 cc: no such file\n#" + n +
                                 " ERROR: 'make' ended with exit code 2\n");
  }
}

TEST_CASE("a failure without output has its whole message") {
  Stage stage;
  {
    PlainProgress progress(stage.fd.get(), stage.clock(), {});
    progress.step_started(step(1, "", "", 0, 0, "COPY a ."));
    progress.step_finished(1, failed("no 'a'\nlook at .dockerignore"));
  }
  CHECK(stage.written() ==
        "#1 ERROR 0.0s COPY a .\n\n#1 COPY a .\n#1 ERROR: no 'a'\n#1 ERROR: look at .dockerignore\n");
}

TEST_CASE("what a RUN prints gives GitHub no orders, wherever it stands in the log") {
  Stage stage;
  {
    PlainProgress progress(stage.fd.get(), stage.clock(), github());
    progress.step_started(step(1, "", "", 0, 0, "RUN ##[add-path]x"));
    progress.step_output(1, "::endgroup::\n##[error]x\n");
    progress.step_finished(1, failed("it said\n::set-env name=A::b"));
    progress.warn("two lines\n::error::x");
  }
  const std::string written = stage.written();
  for (const std::string_view line : split(written, '\n')) {
    CHECK_FALSE(trim(line).starts_with("::"));
    CHECK(line.find("##[") == std::string_view::npos);
  }
}

TEST_CASE("a long command and a long reason are cut in the log of what matters") {
  Stage stage;
  PlainProgress progress(stage.fd.get(), stage.clock(), {});
  progress.step_started(step(1, "", "", 0, 0, "RUN " + std::string(3000, 'x')));
  progress.step_finished(1, built(1, "parent layer 3 (RUN " + std::string(3000, 'x') + ") changed"));
  CHECK(stage.written().size() < 310);
}
