#include "builder/solve/step_executor.hpp"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/error.hpp"

namespace kiln {

namespace {

constexpr std::chrono::milliseconds kLockPoll{20};

std::string place_of(const Step& step) { return step.slot + "\n" + step.key; }

}  // namespace

void StepExecutor::lose(const Blocked& lost) {
  lookup_.lose(lost);
  const std::lock_guard lock(mutex_);
  for (const auto& [key, text] : lost.lost) flights_.forget(key);
  std::erase_if(told_, [&](const auto& told) { return lost.lost.count(told.second.record.key) > 0; });
}

std::map<std::string, StepRecord> StepExecutor::records() const {
  const std::lock_guard lock(mutex_);
  return records_;
}

std::map<std::string, std::vector<std::string>> StepExecutor::keys_of_targets() const {
  const std::lock_guard lock(mutex_);
  return keys_of_targets_;
}

void StepExecutor::note(const Step& step, const StepDone& done) {
  const std::lock_guard lock(mutex_);
  told_.insert_or_assign(place_of(step), done);
  records_.insert_or_assign(step.key, done.record);
  std::vector<std::string>& keys = keys_of_targets_[step.view.target];
  if (std::find(keys.begin(), keys.end(), step.key) == keys.end()) keys.push_back(step.key);
}

std::optional<StepDone> StepExecutor::told_before(const Step& step) const {
  const std::lock_guard lock(mutex_);
  const auto it = told_.find(place_of(step));
  return it == told_.end() ? std::nullopt : std::optional(it->second);
}

FileLock StepExecutor::lock(const Step& step, int number) {
  for (bool said = false;; said = true) {
    if (auto held = cache_.try_lock(step.key)) return std::move(*held);
    if (!said) observer_.step_output(number, "waiting for another kiln that executes this step\n");
    cancel_.check();
    std::this_thread::sleep_for(kLockPoll);
  }
}

std::optional<StepSharing::Turn> StepExecutor::turn(const Step& step, int number, std::optional<StepDone>& found) {
  if (!sharing_) return std::nullopt;
  const auto is_found = [&] {
    found = lookup_.find_shared(step).found;
    return found.has_value();
  };
  const auto on_wait = [&] { observer_.step_output(number, "waiting for another machine that executes this step\n"); };
  const bool is_quick = step.kind == StepKind::copy || step.kind == StepKind::workdir;
  return sharing_->await_turn(step.key, is_quick ? StepSharing::Care::quick : StepSharing::Care::careful, is_found,
                              on_wait);
}

OrBlocked<StepDone> StepExecutor::look_up_or_execute(const Step& step, int number) {
  StepLookup::Answer answer = lookup_.find(step);
  OrBlocked<StepDone> done = answer.found ? std::move(*answer.found) : execute(step, answer.miss, number);
  if (!done.is_blocked()) cache_.remember_slot(step.slot, step.key);
  return done;
}

OrBlocked<StepDone> StepExecutor::execute(const Step& step, const Miss& miss, int number) {
  const FileLock held = lock(step, number);
  const bool may_look_up = step.use_cache && !lookup_.is_lost(step.key);
  // Another process may have executed it meanwhile.
  std::optional<StepDone> found;
  if (may_look_up) found = lookup_.find_here(step).found;
  std::optional<StepSharing::Turn> my_turn = may_look_up && !found ? turn(step, number, found) : std::nullopt;
  if (found) return std::move(*found);

  StepResult why;
  lookup_.explain_miss(step, miss, why);
  observer_.step_missed(number, {why.reason, why.miss_kind});
  const double begin = clock_.monotonic_seconds();
  OrBlocked<std::vector<LayerValue>> layers = step.execute(number, [&](const LayerValue& layer) {
    if (on_layers_made_) on_layers_made_(step, {layer});
  });
  if (layers.is_blocked()) return layers.blocked();
  StepRecord record;
  record.kind = step.kind;
  record.key = step.key;
  record.text = step.view.text;
  record.target = step.view.target;
  record.file = step.view.file;
  record.line = step.view.line;
  record.layers = std::move(layers).value();
  record.seconds = clock_.monotonic_seconds() - begin;
  record.created = format_rfc3339(clock_.now());
  record.salt = new_salt();
  if (step.network) record.network = *step.network;
  record.inputs = salted_inputs(lookup_.inputs_of(step), record.salt);
  cache_.store(record);
  if (on_layers_made_) on_layers_made_(step, record.layers);
  if (my_turn)
    sharing_->publish(new_step_entry(record, [&](const oci::Digest&) { return step.is_of_image; }),
                      std::move(*my_turn));
  StepDone done{std::move(record), {}};
  done.result = result_of(done.record, StepOutcome::built);
  done.result.reason = std::move(why.reason);
  done.result.miss_kind = why.miss_kind;
  done.result.differences = std::move(why.differences);
  done.result.against = std::move(why.against);
  return done;
}

OrBlocked<StepDone> StepExecutor::solve(const Step& step) {
  cancel_.check();
  if (auto told = told_before(step)) return std::move(*told);
  StepView view = step.view;
  view.number = observer_.new_number();
  observer_.step_started(view);
  try {
    auto [end, was_first] = flights_.run(step.key, [&] { return look_up_or_execute(step, view.number); });
    if (end.is_blocked()) {
      // Once the lost ones are there it is tried again.
      flights_.forget(step.key);
      observer_.step_output(view.number, "it waits for a step whose layer is lost\n");
      observer_.task_finished(view.number, "");
      return end;
    }
    StepDone& done = end.value();
    if (!was_first) cache_.remember_slot(step.slot, step.key);
    if (!was_first && done.result.outcome == StepOutcome::built) {
      done.result.outcome = StepOutcome::hit;
      done.result.from = kFromThisRun;
      done.result.reason.clear();
      done.result.miss_kind = {};
      done.result.differences.clear();
      done.result.against.clear();
    }
    note(step, done);
    observer_.step_finished(view.number, done.result);
    return end;
  } catch (const Error& error) {
    StepResult failed;
    failed.outcome = StepOutcome::failed;
    failed.key = step.key;
    failed.reason = error.message();
    failed.was_stopped = error.category() == Category::cancelled;
    observer_.step_finished(view.number, failed);
    throw;
  }
}

}  // namespace kiln
