#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "builder/cache/step_cache.hpp"
#include "builder/cache/step_sharing.hpp"
#include "builder/solve/step_lookup.hpp"
#include "builder/steps/build_clock.hpp"
#include "builder/steps/step.hpp"
#include "builder/steps/work_slots.hpp"

namespace kiln {

// Looks steps up, executes what is missing, records what was executed. Equal steps run once: of one process by sharing,
// of several by a lock, of several machines by claims (step_sharing.hpp). Any thread.
class StepExecutor final : public StepSolver {
 public:
  // `sharing` may be null. All are borrowed.
  StepExecutor(StepLookup& lookup, StepSharing* sharing, BuildObserver& observer, const BuildClock& clock,
               CancelToken cancel)
      : lookup_(lookup),
        cache_(lookup.cache()),
        sharing_(sharing),
        observer_(observer),
        clock_(clock),
        cancel_(std::move(cancel)) {}

  // An error of execute() leaves with the step reported as failed. A step that was told at its place before, with the
  // same key and not executed since, is not told again.
  OrBlocked<StepDone> solve(const Step& step) override;
  bool would_execute(const Step& step) override { return !lookup_.find(step).found; }
  void lose(const Blocked& lost) override;

  // From now on the layers of each step that is executed are told to `listener`, once they are in the store: those of
  // a step that makes several one by one as they are made, and each step's all together at its end. Any thread; it
  // must not wait.
  using LayerListener = std::function<void(const Step&, const std::vector<LayerValue>&)>;
  void tell_layers_made(LayerListener listener) { on_layers_made_ = std::move(listener); }

  // What the steps came to so far, by key, and each target's keys in the order in which they came.
  std::map<std::string, StepRecord> records() const;
  std::map<std::string, std::vector<std::string>> keys_of_targets() const;

 private:
  void note(const Step& step, const StepDone& done);
  OrBlocked<StepDone> look_up_or_execute(const Step& step, int number);
  OrBlocked<StepDone> execute(const Step& step, const Miss& miss, int number);
  // The right to execute the step among the machines that share a cache; `found` where one of them has done it.
  std::optional<StepSharing::Turn> turn(const Step& step, int number, std::optional<StepDone>& found);
  // The step's lock, waited for with a word to people.
  FileLock lock(const Step& step, int number);
  // The step as it was told at this place before; nullopt where it has to be told.
  std::optional<StepDone> told_before(const Step& step) const;

  StepLookup& lookup_;
  StepCache& cache_;
  StepSharing* sharing_;
  BuildObserver& observer_;
  const BuildClock& clock_;
  CancelToken cancel_;
  LayerListener on_layers_made_;
  SingleFlight<OrBlocked<StepDone>> flights_;
  mutable std::mutex mutex_;
  std::map<std::string, StepDone> told_;  // by slot and key
  std::map<std::string, StepRecord> records_;
  std::map<std::string, std::vector<std::string>> keys_of_targets_;
};

}  // namespace kiln
