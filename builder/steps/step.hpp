#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "builder/cache/step_record.hpp"
#include "builder/layer/layer.hpp"
#include "builder/netlog/network_record.hpp"
#include "builder/steps/events.hpp"
#include "builder/steps/or_blocked.hpp"

namespace kiln {

// A layer that a step is making is in the store, or in a shared cache. Called by any thread, in any order.
using LayerMade = std::function<void(const LayerValue&)>;

// A step that can make layers (RUN, COPY, ADD, WORKDIR, a Debian root), with everything of it decided: what it is
// looked up by, what explains a miss, and how its layers are made. What execute() needs lives as long as the value.
struct Step {
  StepKind kind = StepKind::run;
  std::string key;
  std::vector<RawInput> inputs;                            // for explaining a miss
  std::function<void(std::vector<RawInput>&)> add_inputs;  // those that take long to say; none where there are no more
  // Makes the layers. `number` is for the observer's step_output and step_progress. A step that makes several may tell
  // of each, so that it is sent while others are made.
  std::function<OrBlocked<std::vector<LayerValue>>(int number, const LayerMade& made)> execute;

  // What execute() saw of the network; none for a step that has no record of it.
  std::shared_ptr<const std::optional<NetworkRecord>> network;

  StepView view;            // its number is given by who executes it
  std::string slot;         // the place in the build: target, stage and position
  bool use_cache = true;    // false: executed whatever caches have
  bool is_of_image = true;  // its layers are part of what the target ends in, not only copied from

  std::vector<RawInput> all_inputs() const {
    std::vector<RawInput> all = inputs;
    if (add_inputs) add_inputs(all);
    return all;
  }
};

// What a step came to.
struct StepDone {
  StepRecord record;
  StepResult result;
};

// What becomes of steps: how a build differs from a forecast. Any thread.
class StepSolver {
 public:
  virtual ~StepSolver() = default;
  // The step's layers, from a cache or by executing it; blocked where a cache misses it and nothing is executed, or
  // where executing it needs layers that no place has.
  virtual OrBlocked<StepDone> solve(const Step& step) = 0;
  // Whether solve() would execute it: what has to be at hand for that is then brought.
  virtual bool would_execute(const Step& step) = 0;
  // No place has the layers of these steps: no cache answers with them any more. Only while no step is being solved.
  virtual void lose(const Blocked& lost) = 0;
};

}  // namespace kiln
