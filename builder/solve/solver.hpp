#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "builder/solve/stage_evaluator.hpp"

namespace kiln {

// How build contexts are read.
struct ContextSettings {
  ContextModes modes = ContextModes::as_on_disk;
  StatCache* stat_cache = nullptr;
};

// Solves the targets of a plan: every stage that is needed, each once, as many at a time as there is work for.
//
// Every stage has a thread; it waits for the stages it is built from and holds a work slot only while it works. When
// one fails, the others stop at their next step; what they finished is in the cache.
class Solver {
 public:
  Solver(const Plan& plan, LayerAccess& access, BaseImages& bases, StepExecutor& steps, RunSteps& runs,
         BuildObserver& observer, EvaluatorSettings settings, ContextSettings contexts, std::size_t parallel);
  ~Solver();

  // The final stage of each wanted target. Throws the first error, once everything has come to rest.
  std::map<std::size_t, std::shared_ptr<const StageResult>> solve(const std::set<std::size_t>& wanted);

  // Evaluates as far as the cache goes and executes nothing; for a StepExecutor that only looks up. A stage ends at its
  // first step that is missed, and with it the stages built from it. Gives, by target, what would fail whatever is
  // built first (a COPY source that is missing, a name that nothing has).
  std::map<std::size_t, std::string> look_up(const std::set<std::size_t>& wanted);

 private:
  void finish_all(const std::set<std::size_t>& wanted);

  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kiln
