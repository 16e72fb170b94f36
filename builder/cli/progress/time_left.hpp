#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "builder/steps/events.hpp"

namespace kiln {

// How long a build still takes, from what its steps took in earlier builds. A step whose turn has not come counts as
// one to be executed where a step of its stage, or of a stage below, was executed: it is built on something new.
class TimeLeft {
 public:
  // `parallel`: how many steps are at work at once, at most.
  explicit TimeLeft(std::size_t parallel) : parallel_(parallel) {}

  void expect(const std::vector<ExpectedStage>& stages);
  void step_started(const StepView& step, double now);
  void step_missed(int number);
  void step_ended(int number);

  // What an earlier build took for a step that is executed.
  std::optional<double> expected(int number) const;
  // Nothing where no step was executed yet that earlier builds tell about.
  std::optional<double> left(double now) const;

 private:
  enum class State { pending, looked_up, executed, ended };
  struct Step {
    double seconds = 0;
    double started = 0;
    State state = State::pending;
  };
  struct Stage {
    std::map<int, Step> steps;  // by line
    std::vector<std::size_t> needs;
    bool is_new = false;  // a step of it was executed
  };
  struct End {
    bool is_new = false;
    double seconds = 0;  // until it is solved
  };

  Step* find(int number);
  const Step* find(int number) const;
  static double own_seconds(const Stage& stage, bool is_new, double now);
  const End& end_of(std::size_t stage, double now, std::map<std::size_t, End>& known, double& work) const;

  std::size_t parallel_;
  std::vector<Stage> stages_;
  std::map<StageView, std::size_t> numbers_;
  std::map<int, std::pair<std::size_t, int>> running_;  // by number: stage and line
};

}  // namespace kiln
