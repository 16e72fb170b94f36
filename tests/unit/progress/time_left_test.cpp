#include "builder/cli/progress/time_left.hpp"

#include <doctest/doctest.h>

using namespace kiln;

namespace {

StageView stage(std::string target) { return {std::move(target), "stage-0", "linux/amd64"}; }

StepView step(int number, std::string target, int line) {
  StepView view;
  view.number = number;
  view.target = std::move(target);
  view.stage = "stage-0";
  view.platform = "linux/amd64";
  view.line = line;
  return view;
}

// base (10 s) <- hub (5 s and 2 s), and beside them tool (4 s).
TimeLeft of_a_fleet(std::size_t parallel) {
  TimeLeft time(parallel);
  time.expect(
      {{stage("hub"), {{2, 5.0}, {3, 2.0}}, {1}}, {stage("base"), {{2, 10.0}}, {}}, {stage("tool"), {{2, 4.0}}, {}}});
  return time;
}

}  // namespace

TEST_CASE("nothing is told before a step is executed that earlier builds know") {
  TimeLeft time = of_a_fleet(4);
  CHECK_FALSE(time.left(0));
  time.step_started(step(1, "base", 2), 0);
  CHECK_FALSE(time.left(1));
  time.step_ended(1);
  CHECK_FALSE(time.left(1));
  time.step_started(step(2, "unknown", 2), 0);
  time.step_missed(2);
  CHECK_FALSE(time.left(1));
  CHECK_FALSE(TimeLeft(1).left(0));
}

TEST_CASE("what is built on a step that is executed is executed too") {
  TimeLeft time = of_a_fleet(4);
  time.step_started(step(1, "base", 2), 100);
  time.step_missed(1);
  CHECK(time.expected(1) == 10.0);
  CHECK(time.left(103) == doctest::Approx(14));  // 7 of base, then hub
  time.step_ended(1);
  CHECK(time.left(110) == doctest::Approx(7));
  time.step_started(step(2, "hub", 2), 110);
  time.step_ended(2);  // a hit after all
  CHECK(time.left(110) == doctest::Approx(2));
  time.step_started(step(3, "hub", 3), 110);
  time.step_missed(3);
  CHECK(time.left(115) == doctest::Approx(0));  // it takes longer than it did
}

TEST_CASE("where few steps run at once all the work counts") {
  TimeLeft time = of_a_fleet(1);
  time.step_started(step(1, "base", 2), 0);
  time.step_missed(1);
  time.step_started(step(2, "tool", 2), 0);
  time.step_missed(2);
  CHECK(time.left(0) == doctest::Approx(21));
}
