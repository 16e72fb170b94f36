#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "builder/solve/stage_evaluator.hpp"
#include "builder/steps/scanned_context.hpp"

namespace kiln {

// How build contexts are read.
struct ContextSettings {
  ContextModes modes = ContextModes::as_on_disk;
  StatCache* stat_cache = nullptr;
};

struct SolverSettings {
  EvaluatorSettings evaluation;
  ContextSettings contexts;
  std::size_t parallel = 4;  // stages at work at the same time
};

// Whether a layer of a target's image has to be here, not only somewhere, for what is done with the image.
using NeededHere = std::function<bool(std::size_t target, const ImageLayer& layer)>;

// The steps that a build executes again since no place has their layers.
class LostSteps {
 public:
  // Warns of each. Error{machine} where one was added before: a step that was executed has its layers in the store.
  void add(const Blocked& lost, BuildObserver& observer);

 private:
  std::set<std::string> keys_;
};

// Solves the targets of a plan: every stage that is needed, each once, as many at a time as there is work for.
//
// Every stage has a thread; it waits for the stages it is built from and holds a work slot only while it works. When
// one fails, the others stop at their next step; what they finished is in the cache.
//
// A stage that needs a layer which a cache promised and no place has ends blocked, and those that wait for it too. Once
// the others have come to rest, the steps whose layers are lost are executed, and only the stages that hold one of
// these layers, or were blocked, are evaluated a second time.
class Solver {
 public:
  Solver(const Plan& plan, const StageTools& tools, SolverSettings settings);
  ~Solver();

  // The final stage of each wanted target, its layers fetched or found to be somewhere. Throws the first error, once
  // everything has come to rest.
  std::map<std::size_t, std::shared_ptr<const StageResult>> solve(const std::set<std::size_t>& wanted,
                                                                  const NeededHere& needed_here);

  // Evaluates as far as the cache goes; for a StepSolver that executes nothing. A stage ends at its first step that is
  // missed, and with it the stages built from it; the images that its further lines name are asked for all the same.
  // Returns, by target, what would fail whatever is built first (a COPY source that is missing, a name that nothing
  // has), and of the category network each image that could not be asked for, once.
  std::map<std::size_t, std::vector<Error>> look_up(const std::set<std::size_t>& wanted);

 private:
  struct State;
  class Environment;
  std::unique_ptr<State> state_;
};

}  // namespace kiln
