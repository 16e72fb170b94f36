#include "builder/cli/progress/tty_view.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/text.hpp"
#include "display_test.hpp"
#include "tests/support/golden.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

using Lines = std::vector<std::string>;

void check(const char* name, const Lines& frame) {
  check_golden(fs::path(KILN_GOLDEN_DIR) / name, join(frame, "\n") + "\n");
}

// A build 12.3 seconds after its start: two steps run, with output and transfers.
TtyView busy_view(Colour colour) {
  TtyView view(colour, 100);
  view.step_started(step(1, "", "", 0, 0, "[base-python] resolve bookworm"), 100);
  view.task_finished(1, "", 100.4);
  view.step_started(step(2, "hub-mainpc", "builder", 1, 4, "COPY requirements.txt ."), 100.4);
  view.step_finished(2, hit("local"), 100.4);
  view.step_started(step(3, "hub-mainpc", "builder", 2, 4, "RUN pip install --require-hashes -r requirements.txt"),
                    100.5);
  for (int i = 1; i <= 8; ++i) view.step_output(3, "Collecting package-" + std::to_string(i) + "\n");
  view.step_output(3, "  Downloading \x1b[31m12%\r  Downloading 57%");
  view.step_started(step(4, "base-utils", "stage-0", 2, 2, "RUN apt-get install --yes tini"), 101);
  view.step_finished(4, hit("registry ghcr.io/acme/cache"), 101.2);
  view.step_started(step(5, "", "", 0, 0, "pull docker.io/library/python:3.11-slim"), 110);
  view.step_progress(5, "layer 1f0c", 12300000, 45000000, 110);
  view.step_progress(5, "layer 88ab", 0, 1000, 110);
  view.step_progress(5, "layer 77aa", 1000, 1000, 110);
  view.step_progress(5, "index", 2048, 0, 110);
  view.step_progress(5, "layer 88ab", 1000, 1000, 110);
  view.warn("the cache 'ghcr.io/acme/cache' could not be read: 503");
  return view;
}

// `finished` steps that ended and `running` ones with three lines of output each.
TtyView crowded_view(int finished, int running) {
  TtyView view(Colour::no, 0);
  for (int i = 1; i <= finished; ++i) {
    view.step_started(step(i, "", "", 0, 0, "finished " + std::to_string(i)), 0);
    view.step_finished(i, built(1, ""), 1);
  }
  for (int i = 1; i <= running; ++i) {
    view.step_started(step(100 + i, "", "", 0, 0, "running " + std::to_string(i)), 1);
    view.step_output(100 + i, "one\ntwo\nthree\n");
  }
  return view;
}

std::size_t count_of(const Lines& lines, std::string_view part) {
  return static_cast<std::size_t>(std::count_if(
      lines.begin(), lines.end(), [&](const std::string& line) { return line.find(part) != std::string::npos; }));
}

}  // namespace

TEST_CASE("a frame shows finished steps, running steps, their last lines and transfers") {
  check("tty_running.txt", busy_view(Colour::no).frame(112.3, {80, 24}));
  check("tty_narrow.txt", busy_view(Colour::no).frame(112.3, {40, 24}));
  check("tty_colour.txt", busy_view(Colour::yes).frame(112.3, {80, 24}));
}

TEST_CASE("the last frame shows every step, why it missed, what was cancelled, and the warnings") {
  TtyView view = busy_view(Colour::no);
  view.step_finished(3, built(12, "no record: 'requirements.txt' changed"), 112.5);
  view.step_started(step(6, "hub-mainpc", "builder", 3, 4, "RUN exit 7"), 112.5);
  view.step_finished(6, failed("exit code 7"), 112.6);
  view.step_started(step(7, "hub-pc2", "builder", 1, 1, "RUN sleep 100"), 112.5);
  view.step_finished(7, stopped(), 112.7);
  check("tty_failed.txt", view.final_frame(113, {80, 24}));

  TtyView good(Colour::no, 0);
  good.step_started(step(1, "", "builder", 1, 9, "RUN x"), 0);
  good.step_finished(1, built(1, ""), 1);
  CHECK(good.final_frame(75, {40, 24}) ==
        Lines{"[+] Building 1m15s (1/1) FINISHED", " => [builder 1/9] RUN x            1.0s"});
  TtyView stopped(Colour::no, 0);
  stopped.step_started(step(1, "", "", 0, 0, "export"), 0);
  CHECK(stopped.final_frame(2, {40, 24}) ==
        Lines{"[+] Building 2.0s (0/1) CANCELED", " => CANCELED export                2.0s"});
}

TEST_CASE("a frame shows how fast bytes move, what stages wait for, and what earlier builds took") {
  TtyView view(Colour::no, 0);
  const StageView base{"base", "stage-0", "linux/amd64"}, web{"web", "stage-0", "linux/amd64"},
      hub{"hub", "stage-0", "linux/amd64"}, builder{"hub", "builder", "linux/amd64"};
  view.expect({{base, {{2, 30.0}}, {}}, {hub, {{2, 12.0}, {3, 4.0}}, {0}}, {web, {{2, 1.0}}, {0}}});
  StepView run = step(1, "base", "stage-0", 1, 1, "RUN apt-get update");
  run.line = 2;
  run.platform = "linux/amd64";
  view.step_started(run, 0);
  CHECK(view.frame(1, {80, 24})[0] == "[+] Building 1.0s (0/1)");
  view.step_missed(1);
  view.stage_waits(web, base);
  view.stage_waits(hub, base);
  view.stage_waits({"hub", "stage-1", "linux/amd64"}, builder);
  view.step_started(step(2, "", "", 0, 0, "pull 4f2a from ghcr.io/acme/base"), 8);
  view.step_progress(2, "", 0, 40000000, 8);
  view.step_progress(2, "", 8000000, 40000000, 10);
  check("tty_waiting.txt", view.frame(10, {80, 24}));
  view.stage_goes_on(web);
  view.stage_goes_on(hub);
  view.stage_goes_on({"hub", "stage-1", "linux/amd64"});
  CHECK(count_of(view.frame(10, {80, 24}), "wait") == 0);
  view.step_finished(1, built(30, ""), 30);
  CHECK(view.frame(30, {80, 24})[0].find("about 17s left") != std::string::npos);
}

TEST_CASE("of many that wait for one stage some are named") {
  TtyView view(Colour::no, 0);
  for (int i = 10; i < 60; ++i)
    view.stage_waits({"service-" + std::to_string(i), "stage-0", ""}, {"base-app", "stage-0", ""});
  const Lines lines = view.frame(1, {200, 24});
  CHECK(lines.back() ==
        " => 50 wait for [base-app stage-0]: service-10, service-11, service-12, service-13, service-14, service-15, "
        "and 44 more");
}

TEST_CASE("what was built on a new layer is not explained again at the end") {
  TtyView view(Colour::no, 0);
  view.step_started(step(1, "a", "stage-0", 1, 1, "RUN x"), 0);
  view.step_finished(1, built(1, "parent layer 3 (RUN y) changed"), 1);
  CHECK(count_of(view.final_frame(1, {80, 24}), "not cached") == 0);
}

TEST_CASE("of many hits the last frame tells the number") {
  TtyView view(Colour::no, 0);
  for (int i = 1; i <= 100; ++i) {
    view.step_started(step(i, "a", "stage-0", 1, 1, "RUN x"), 0);
    view.step_finished(i, hit("local"), 0);
  }
  CHECK(view.final_frame(1, {80, 24}) == Lines{"[+] Building 1.0s (100/100) FINISHED", " => 100 steps from the cache"});
}

TEST_CASE("what is left of a stage counts as known") {
  TtyView view(Colour::no, 0);
  CHECK(view.frame(0, {80, 24}) == Lines{"[+] Building 0.0s (0/0)"});
  view.step_started(step(1, "a", "builder", 1, 5, "RUN x"), 0);
  CHECK(view.frame(0, {80, 24})[0] == "[+] Building 0.0s (0/5)");
  view.step_finished(1, built(1, ""), 0);
  view.step_started(step(2, "a", "builder", 3, 5, "RUN y"), 0);
  CHECK(view.frame(0, {80, 24})[0] == "[+] Building 0.0s (1/4)");
  view.step_started(step(3, "b", "builder", 1, 2, "RUN y"), 0);
  CHECK(view.frame(0, {80, 24})[0] == "[+] Building 0.0s (1/6)");
}

TEST_CASE("a frame fits the terminal whatever its size") {
  for (const int rows : {1, 4, 5, 8, 10, 24, 60}) {
    for (const int columns : {1, 20, 33, 80, 200}) {
      for (const auto& [finished, running] :
           std::vector<std::pair<int, int>>{{0, 1}, {3, 2}, {30, 3}, {2, 40}, {50, 0}}) {
        CAPTURE(rows);
        CAPTURE(columns);
        CAPTURE(finished);
        CAPTURE(running);
        const Lines lines = crowded_view(finished, running).frame(2, {columns, rows});
        CHECK(static_cast<int>(lines.size()) < std::max(rows, 4));
        for (const std::string& line : lines) CHECK(static_cast<int>(display_width(line)) < std::max(columns, 20));
      }
    }
  }
}

TEST_CASE("where there is no room the oldest finished steps give way first") {
  const Lines lines = crowded_view(30, 2).frame(2, {80, 14});
  CHECK(lines.size() == 13);
  CHECK(lines[1] == "    ... 27 finished steps not shown");
  CHECK(count_of(lines, "finished 28") == 1);
  CHECK(count_of(lines, "finished 30") == 1);
  CHECK(count_of(lines, "=> running") == 2);
  CHECK(count_of(lines, "# ") == 6);
}

TEST_CASE("where there is still no room, output gives way, evenly, its last lines last") {
  const Lines lines = crowded_view(0, 4).frame(2, {80, 12});
  CHECK(lines.size() == 11);
  CHECK(count_of(lines, "# three") == 4);
  CHECK(count_of(lines, "# two") == 2);
  CHECK(count_of(lines, "# one") == 0);
  const Lines crowd = crowded_view(3, 40).frame(2, {80, 10});
  CHECK(crowd.size() == 9);
  CHECK(crowd.back() == "    ... 33 running steps not shown");
}

TEST_CASE("with room for all, all is shown") {
  const Lines lines = crowded_view(5, 2).frame(2, {80, 24});
  CHECK(lines.size() == 1 + 5 + 2 + 6);
  CHECK(count_of(lines, "not shown") == 0);
}

TEST_CASE("text from outside cannot drive the terminal") {
  TtyView view(Colour::no, 0);
  view.step_started(step(1, "\x1b[1m", "s\u009b", 1, 1, "RUN \x1b]0;t\x07\n"), 0);
  view.step_output(1, "\x1b[2Jx\x07");
  view.step_progress(1, "l\x1b", 1, 5, 110);
  view.warn("\x1b[5m");
  for (Lines lines : {view.frame(1, {80, 24}), view.final_frame(1, {80, 24})}) {
    for (const std::string& line : lines) {
      CHECK(line.find_first_of("\x1b\x07\n") == std::string::npos);
      CHECK(line.find("\u009b") == std::string::npos);
    }
  }
}

TEST_CASE("events of steps that never started are passed over") {
  TtyView view(Colour::no, 0);
  view.step_output(9, "x\n");
  view.step_progress(9, "x", 1, 2, 110);
  view.step_finished(9, built(1, ""), 1);
  view.task_finished(9, "", 1);
  CHECK(view.frame(1, {80, 24}).size() == 1);
}
