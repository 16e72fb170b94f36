#include "builder/cli/progress/verbose_progress.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <thread>

#include "base/text.hpp"
#include "display_test.hpp"
#include "tests/support/golden.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

constexpr auto kHide = VerboseProgress::Debug::hide;

// What is written after the header "#1 RUN x" when a step prints `output`.
std::string output_of(const std::vector<std::string>& pieces) {
  Stage stage;
  VerboseProgress progress(stage.fd.get(), stage.clock(), kHide);
  progress.step_started(step(1, "", "", 0, 0, "RUN x"));
  for (const std::string& piece : pieces) progress.step_output(1, piece);
  progress.step_finished(1, built(1, ""));
  return stage.written();
}

}  // namespace

TEST_CASE("verbose progress of a build reads like BuildKit's") {
  Stage stage;
  {
    VerboseProgress progress(stage.fd.get(), stage.clock(), kHide);
    progress.step_started(step(1, "", "", 0, 0, "resolve docker.io/library/python:3.11-slim"));
    stage.now += 0.25;
    progress.task_finished(1, "");
    progress.step_started(step(2, "hub-mainpc", "builder", 1, 3, "COPY requirements.txt ."));
    progress.step_finished(2, hit("local"));
    progress.step_started(step(3, "hub-mainpc", "builder", 2, 3, "RUN pip install -r requirements.txt"));
    stage.now += 0.512;
    progress.step_output(3, "Collecting fastapi\nCollect");
    progress.step_started(step(4, "hub-pc2", "stage-1", 1, 2, "RUN \x1b[2Jtrue"));
    stage.now += 11;
    progress.step_output(4, "\x1b[31mred\x1b[0m\n");
    progress.warn("the cache 'ghcr.io/acme/cache' could not be read: 503");
    progress.step_output(3, "ing uvicorn\n");
    progress.step_progress(3, "layer 4f2a", 0, 45000000);
    stage.now += 4;
    progress.step_progress(3, "layer 4f2a", 12300000, 45000000);
    stage.now += 1;
    progress.step_progress(3, "layer 4f2a", 20000000, 45000000);
    stage.now += 1;
    progress.step_progress(3, "layer 4f2a", 45000000, 45000000);
    progress.step_progress(3, "layer 4f2a", 45000000, 45000000);
    progress.step_finished(3, built(17.5, "no record: 'requirements.txt' changed"));
    progress.step_output(4, "half a line");
    progress.step_finished(4, failed("'RUN true' ended with exit code 7\nsee above"));
    progress.step_started(step(5, "hub-mainpc", "builder", 3, 3, "COPY app ."));
    progress.step_finished(5, stopped());
    progress.step_started(step(6, "", "", 0, 0, "push ghcr.io/acme/hub:1"));
    progress.task_finished(6, "cannot reach 'ghcr.io'");
    progress.info("build-time trust: 142 certificate authorities of the host");
    progress.debug("hidden");
    progress.step_started(step(7, "", "", 0, 0, "export"));
  }
  check_golden(fs::path(KILN_GOLDEN_DIR) / "verbose.txt", stage.written());
}

TEST_CASE("output is printed in whole lines however it was cut") {
  CHECK(output_of({"on", "e\ntw", "o\n"}) == "#1 RUN x\n#1 0.000 one\n#1 0.000 two\n#1 DONE 1.0s\n");
  CHECK(output_of({"no end"}) == "#1 RUN x\n#1 0.000 no end\n#1 DONE 1.0s\n");
  CHECK(output_of({"10%\r", "50%\r", "100%\n"}) == "#1 RUN x\n#1 0.000 100%\n#1 DONE 1.0s\n");
  CHECK(output_of({}) == "#1 RUN x\n#1 DONE 1.0s\n");
}

TEST_CASE("a line carries the time at which it began") {
  Stage stage;
  VerboseProgress progress(stage.fd.get(), stage.clock(), kHide);
  progress.step_started(step(1, "", "", 0, 0, "RUN x"));
  stage.now += 1;
  progress.step_output(1, "slow ");
  stage.now += 98.5;
  progress.step_output(1, "line\n");
  stage.now += 900.2;
  progress.step_output(1, "later\n");
  stage.now += 1000;
  progress.step_output(1, "much later\n");
  CHECK(stage.written() == "#1 RUN x\n#1 1.000 slow line\n#1 999.7 later\n#1 2000 much later\n");
}

TEST_CASE("a service that shows the log takes no orders from it") {
  Stage stage;
  VerboseProgress progress(stage.fd.get(), stage.clock(), kHide, LogFolds(LogFolds::Service::github, "token"));
  progress.step_started(step(1, "", "", 0, 0, "RUN x"));
  progress.step_output(1, "##[add-path]/evil\n");
  progress.info("::error::x");
  CHECK(stage.written() == "#1 RUN x\n#1 0.000 # #[add-path]/evil\n: :error: :x\n");
}

TEST_CASE("debug messages are printed only when asked for") {
  Stage stage;
  VerboseProgress(stage.fd.get(), stage.clock(), VerboseProgress::Debug::show).debug("a detail");
  CHECK(stage.written() == "DEBUG: a detail\n");
}

TEST_CASE("lines of steps that run at once are never mixed") {
  Stage stage;
  {
    VerboseProgress progress(stage.fd.get(), stage.clock(), kHide);
    std::vector<std::thread> threads;
    for (int number = 1; number <= 4; ++number) {
      threads.emplace_back([&progress, number] {
        progress.step_started(step(number, "", "", 0, 0, "RUN x"));
        for (int i = 0; i < 200; ++i) {
          progress.step_output(number, "aaaaaaaaaa");
          progress.step_output(number, "bbbbbbbbbb\n");
        }
        progress.step_finished(number, built(1, ""));
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  const std::string text = stage.written();
  std::size_t whole = 0;
  for (const std::string_view line : split(text, '\n')) {
    if (line.ends_with(" 0.000 aaaaaaaaaabbbbbbbbbb") && line.starts_with("#")) ++whole;
  }
  CHECK(whole == 800);
}

TEST_CASE("a reader that went away does not stop the build") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  ::signal(SIGPIPE, SIG_IGN);
  const Fd write_end(ends[1]);
  ::close(ends[0]);
  Stage stage;
  VerboseProgress progress(write_end.get(), stage.clock(), kHide);
  progress.step_started(step(1, "", "", 0, 0, "RUN x"));
  CHECK_NOTHROW(progress.step_finished(1, built(1, "")));
}
