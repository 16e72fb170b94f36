#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "builder/cache/shared_cache.hpp"
#include "builder/cache/step_cache.hpp"
#include "builder/cache/step_sharing.hpp"
#include "builder/steps/events.hpp"
#include "builder/steps/work_slots.hpp"

namespace kiln {

// A step that can make layers, ready to be looked up or executed.
struct StepRequest {
  StepView view;     // its number is given by the executor
  std::string kind;  // "run", "copy", "workdir", "debian"
  std::string key;
  std::vector<RawInput> inputs;                            // for explaining a miss
  std::function<void(std::vector<RawInput>&)> add_inputs;  // those that take long to say; none where there are no more
  std::string slot;                                        // the place in the build: target, stage and position
  bool use_cache = true;
  bool is_of_image = true;  // its layers are part of what the target ends in, not only copied from
  // Makes the layers. `number` is for the observer's step_output and step_progress.
  std::function<std::vector<LayerValue>(int number)> execute;

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

// Thrown for a step that is not in the cache where steps are looked up only. No Error: nothing went wrong.
struct StepMissed {
  StepResult why;  // reason, differences, against
};

// Looks steps up (in the store, then in the shared cache), executes what is missing, records what was executed. Equal
// steps run once: of one process by sharing, of several by a lock, of several machines by claims (step_sharing.hpp).
// Any thread.
class StepExecutor {
 public:
  // `shared` and `sharing` may be null; they are borrowed.
  StepExecutor(StepCache& cache, SharedCache* shared, StepSharing* sharing, BuildObserver& observer, CancelToken cancel)
      : cache_(cache), shared_(shared), sharing_(sharing), observer_(observer), cancel_(std::move(cancel)) {}

  // An error of execute() leaves with the step reported as failed.
  StepDone run(const StepRequest& request);

  // From now on nothing is executed: a miss is told to `on_miss` (from any thread), and run() throws StepMissed.
  using MissListener = std::function<void(const StepView&, const StepResult&)>;
  void only_look_up(MissListener on_miss) { on_miss_ = std::move(on_miss); }
  bool only_looks_up() const noexcept { return on_miss_ != nullptr; }

  // From now on the layers of each step that is executed are told to `listener`, once they are in the store, by the
  // thread that executed it: it must not wait.
  using LayerListener = std::function<void(const StepRequest&, const std::vector<LayerValue>&)>;
  void tell_layers_made(LayerListener listener) { on_layers_made_ = std::move(listener); }

  // Whether nothing has to be prepared for executing the step.
  bool is_recorded(const std::string& key);
  // What the steps came to so far, by key, and each target's keys in the order in which they came.
  std::map<std::string, StepRecord> records() const;
  std::map<std::string, std::vector<std::string>> keys_of_targets() const;
  // The steps are to be executed however often they were recorded, and everything is looked up again: what they made
  // cannot be had. Only while no step runs.
  void execute_anew(const std::set<std::string>& keys);
  // A number for a piece of work that is no step.
  int next_number() { return ++last_number_; }

 private:
  std::optional<StepDone> find_here(const StepRequest& request, std::string& reason);
  std::optional<StepDone> find_shared(const StepRequest& request, std::string& reason);
  std::vector<StepRecord> shared_predecessors(const StepRequest& request);
  void note(const StepRequest& request, const StepDone& done);
  bool is_lost(const std::string& key) const;
  StepDone look_up_or_execute(const StepRequest& request, int number);
  // The right to execute the step among the machines that share a cache; `found` where one of them has done it.
  std::optional<StepSharing::Turn> turn(const StepRequest& request, int number, std::optional<StepDone>& found);
  // The step's lock, waited for with a word to people.
  FileLock lock(const StepRequest& request, int number);
  // Fills in the reason of a miss and, by the nearest earlier build of the same place, what differs.
  void explain_miss(const StepRequest& request, const std::string& lookup_reason, StepResult& result);

  StepCache& cache_;
  SharedCache* shared_;
  StepSharing* sharing_;
  BuildObserver& observer_;
  CancelToken cancel_;
  MissListener on_miss_;
  LayerListener on_layers_made_;
  std::atomic<int> last_number_{0};
  std::unique_ptr<SingleFlight<StepDone>> flights_ = std::make_unique<SingleFlight<StepDone>>();
  mutable std::mutex mutex_;
  std::set<std::string> lost_;
  std::map<std::string, StepRecord> records_;
  std::map<std::string, std::vector<std::string>> keys_of_targets_;
};

}  // namespace kiln
