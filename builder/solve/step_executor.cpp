#include "builder/solve/step_executor.hpp"

#include <fmt/format.h>

#include "base/clock.hpp"
#include "base/error.hpp"

namespace kiln {

namespace {

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

std::string StepExecutor::explain_miss(const StepRequest& request, const std::string& lookup_reason) {
  if (!request.use_cache) return "the cache was not to be used";
  if (!lookup_reason.empty()) return lookup_reason;
  const auto earlier = cache_.last_in_slot(request.slot);
  if (!earlier) return "no earlier build of this step";
  const std::string difference = explain_difference(request.inputs, *earlier);
  if (difference.empty()) return "its record is gone";
  return difference;
}

StepDone StepExecutor::look_up_or_execute(const StepRequest& request, int number) {
  const auto lock = [&] { return cache_.lock(request.key); };
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
    cache_.remember_slot(request.slot, request.key);
    return *done;
  }
  const FileLock held = lock();
  if (auto done = find()) {
    cache_.remember_slot(request.slot, request.key);
    return *done;
  }
  const std::string reason = explain_miss(request, lookup_reason);
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
  done.result.reason = reason;
  return done;
}

StepDone StepExecutor::run(const StepRequest& request) {
  cancel_.check();
  StepView view = request.view;
  view.number = next_number();
  observer_.step_started(view);
  try {
    auto [done, was_first] = flights_.run(request.key, [&] { return look_up_or_execute(request, view.number); });
    if (!was_first) cache_.remember_slot(request.slot, request.key);
    if (!was_first && done.result.outcome == StepOutcome::built) {
      done.result.outcome = StepOutcome::hit;
      done.result.from = "this run";
      done.result.reason.clear();
    }
    observer_.step_finished(view.number, done.result);
    return done;
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
