#include "builder/solve/step_executor.hpp"

#include <fmt/format.h>

#include <chrono>
#include <thread>
#include <utility>

#include "base/clock.hpp"
#include "base/error.hpp"

namespace kiln {

namespace {

constexpr std::chrono::milliseconds kLockPoll{20};

std::uint64_t layer_bytes(const std::vector<LayerValue>& layers) {
  std::uint64_t bytes = 0;
  for (const LayerValue& layer : layers) {
    if (!layer.blobs.empty()) bytes += layer.blobs.front().descriptor.size;
  }
  return bytes;
}

StepResult result_of(const StepRecord& record, StepOutcome outcome) {
  StepResult result;
  result.outcome = outcome;
  result.key = record.key;
  result.seconds = record.seconds;
  result.bytes = layer_bytes(record.layers);
  if (!record.layers.empty()) result.diff_id = record.layers.back().diff_id;
  result.layers = record.layers;
  return result;
}

}  // namespace

std::string_view to_string(StepOutcome outcome) {
  switch (outcome) {
    case StepOutcome::hit: return "hit";
    case StepOutcome::built: return "built";
    case StepOutcome::failed: return "failed";
  }
  return "failed";
}

void StepExecutor::explain_miss(const StepRequest& request, const std::string& lookup_reason, StepResult& result) {
  if (!request.use_cache) {
    result.reason = "the cache was not to be used";
    return;
  }
  if (!lookup_reason.empty()) {
    result.reason = lookup_reason;
    return;
  }
  result.reason = "no earlier build of this step";
  bool is_first = true;
  for (const StepRecord& earlier : cache_.earlier_in_slot(request.slot)) {
    std::vector<InputDifference> differences = find_differences(request.inputs, earlier);
    if (!std::exchange(is_first, false) && differences.size() >= result.differences.size()) continue;
    result.against = earlier.created;
    result.differences = std::move(differences);
    result.reason = to_text(result.differences);
    if (!result.differences.empty()) continue;
    // The same inputs and another key: what a COPY meets at its target is part of the key alone.
    result.reason = earlier.key == request.key ? "its record is gone" : "what is at its target below changed";
  }
}

FileLock StepExecutor::lock(const StepRequest& request, int number) {
  for (bool said = false;; said = true) {
    if (auto held = cache_.try_lock(request.key)) return std::move(*held);
    if (!said) observer_.step_output(number, "waiting for another kiln that executes this step\n");
    cancel_.check();
    std::this_thread::sleep_for(kLockPoll);
  }
}

StepDone StepExecutor::look_up_or_execute(const StepRequest& request, int number) {
  std::string lookup_reason;
  const auto find = [&]() -> std::optional<StepDone> {
    if (!request.use_cache) return std::nullopt;
    StepCache::Lookup lookup = cache_.find(request.key);
    lookup_reason = lookup.reason;
    if (!lookup.record) return std::nullopt;
    StepDone done{std::move(*lookup.record), {}};
    done.result = result_of(done.record, StepOutcome::hit);
    done.result.from = "local";
    return done;
  };
  if (auto done = find()) {
    if (!on_miss_) cache_.remember_slot(request.slot, request.key);
    return *done;
  }
  if (on_miss_) {
    StepMissed missed;
    explain_miss(request, lookup_reason, missed.why);
    missed.why.key = request.key;
    throw missed;
  }
  const FileLock held = lock(request, number);
  if (auto done = find()) {
    cache_.remember_slot(request.slot, request.key);
    return *done;
  }
  StepResult why;
  explain_miss(request, lookup_reason, why);
  const double begin = monotonic_seconds();
  StepRecord record;
  record.kind = request.kind;
  record.key = request.key;
  record.text = request.view.text;
  record.target = request.view.target;
  record.file = request.view.file;
  record.line = request.view.line;
  record.layers = request.execute(number);
  record.seconds = monotonic_seconds() - begin;
  record.created = format_rfc3339(now_unix_seconds());
  record.salt = new_salt();
  record.inputs = salted_inputs(request.inputs, record.salt);
  cache_.store(record);
  cache_.remember_slot(request.slot, request.key);
  StepDone done{std::move(record), {}};
  done.result = result_of(done.record, StepOutcome::built);
  done.result.reason = std::move(why.reason);
  done.result.differences = std::move(why.differences);
  done.result.against = std::move(why.against);
  return done;
}

StepDone StepExecutor::run(const StepRequest& request) {
  cancel_.check();
  StepView view = request.view;
  view.number = next_number();
  observer_.step_started(view);
  try {
    auto [done, was_first] = flights_.run(request.key, [&] { return look_up_or_execute(request, view.number); });
    if (!was_first && !on_miss_) cache_.remember_slot(request.slot, request.key);
    if (!was_first && done.result.outcome == StepOutcome::built) {
      done.result.outcome = StepOutcome::hit;
      done.result.from = "this run";
      done.result.reason.clear();
      done.result.differences.clear();
      done.result.against.clear();
    }
    observer_.step_finished(view.number, done.result);
    return done;
  } catch (const StepMissed& missed) {
    on_miss_(request.view, missed.why);
    throw;
  } catch (const Error& error) {
    StepResult failed;
    failed.outcome = StepOutcome::failed;
    failed.key = request.key;
    failed.reason = error.message();
    observer_.step_finished(view.number, failed);
    throw;
  }
}

}  // namespace kiln
