#include "builder/solve/step_executor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "builder/steps/image_layers.hpp"

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
    case StepOutcome::hit:
      return "hit";
    case StepOutcome::built:
      return "built";
    case StepOutcome::failed:
      return "failed";
  }
  return "failed";
}

bool StepExecutor::is_lost(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  return lost_.count(key) > 0;
}

void StepExecutor::execute_anew(const std::set<std::string>& keys) {
  const std::lock_guard lock(mutex_);
  lost_.insert(keys.begin(), keys.end());
  flights_ = std::make_unique<SingleFlight<StepDone>>();
  for (const std::string& key : keys) {
    if (shared_) shared_->distrust(key);
  }
}

std::map<std::string, StepRecord> StepExecutor::records() const {
  const std::lock_guard lock(mutex_);
  return records_;
}

std::map<std::string, std::vector<std::string>> StepExecutor::keys_of_targets() const {
  const std::lock_guard lock(mutex_);
  return keys_of_targets_;
}

void StepExecutor::note(const StepRequest& request, const StepDone& done) {
  const std::lock_guard lock(mutex_);
  records_.insert_or_assign(request.key, done.record);
  std::vector<std::string>& keys = keys_of_targets_[request.view.target];
  if (std::find(keys.begin(), keys.end(), request.key) == keys.end()) keys.push_back(request.key);
}

std::optional<StepDone> StepExecutor::find_here(const StepRequest& request, std::string& reason) {
  StepCache::Lookup lookup = cache_.find(request.key);
  reason = lookup.reason;
  if (!lookup.record) return std::nullopt;
  StepDone done{std::move(*lookup.record), {}};
  done.result = result_of(done.record, StepOutcome::hit);
  done.result.from = "local";
  return done;
}

std::optional<StepDone> StepExecutor::find_shared(const StepRequest& request, std::string& reason) {
  if (!shared_ || !shared_->is_read()) return std::nullopt;
  const SharedCache::Found found = shared_->find(request.key, kStepEntryType);
  if (!found.reason.empty()) reason = found.reason;
  if (!found.entry) return std::nullopt;
  try {
    StepDone done{parse_step_record(found.entry->content, request.key, "step record of " + found.from), {}};
    cache_.adopt(done.record);
    done.result = result_of(done.record, StepOutcome::hit);
    done.result.from = found.from;
    return done;
  } catch (const Error& error) {
    if (error.category() == Category::cancelled) throw;
    reason = error.message();
    observer_.warn(reason);
    return std::nullopt;
  }
}

bool StepExecutor::is_recorded(const std::string& key) {
  if (on_miss_) return true;
  if (is_lost(key)) return false;
  StepRequest request;
  request.key = key;
  std::string reason;
  return find_here(request, reason) || find_shared(request, reason);
}

// Steps of other builds that stood where this one stands, as the shared cache remembers them: for a machine that built
// nothing yet.
std::vector<StepRecord> StepExecutor::shared_predecessors(const StepRequest& request) {
  std::vector<StepRecord> records;
  if (!shared_) return records;
  for (const CacheEntry& entry : shared_->preloaded()) {
    try {
      StepRecord record = parse_step_record(entry.content, entry.key, "step record");
      // Not by target: images that share a step have one record of it.
      const bool is_same_place = record.kind == request.kind && record.file == request.view.file &&
                                 (record.line == request.view.line || record.text == request.view.text);
      if (is_same_place && entry.key != request.key) records.push_back(std::move(record));
    } catch (const Error&) {
      continue;
    }
  }
  return records;
}

void StepExecutor::explain_miss(const StepRequest& request, const std::string& lookup_reason, StepResult& result) {
  if (!request.use_cache) {
    result.reason = "the cache was not to be used";
    return;
  }
  if (is_lost(request.key)) {
    result.reason = "no cache has its layer any more";
    return;
  }
  if (!lookup_reason.empty()) {
    result.reason = lookup_reason;
    return;
  }
  result.reason = "no earlier build of this step";
  std::vector<StepRecord> before = cache_.earlier_in_slot(request.slot);
  if (before.empty()) before = shared_predecessors(request);
  if (before.empty()) return;
  const std::vector<RawInput> now = request.all_inputs();
  bool is_first = true;
  for (const StepRecord& earlier : before) {
    std::vector<InputDifference> differences = find_differences(now, earlier);
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

std::optional<StepSharing::Turn> StepExecutor::turn(const StepRequest& request, int number,
                                                    std::optional<StepDone>& found) {
  if (!sharing_) return std::nullopt;
  const auto is_found = [&] {
    std::string ignored;
    found = find_shared(request, ignored);
    return found.has_value();
  };
  const auto on_wait = [&] { observer_.step_output(number, "waiting for another machine that executes this step\n"); };
  const bool is_quick = request.kind == "copy" || request.kind == "workdir";
  return sharing_->await_turn(request.key, is_quick ? StepSharing::Care::quick : StepSharing::Care::careful, is_found,
                              on_wait);
}

StepDone StepExecutor::look_up_or_execute(const StepRequest& request, int number) {
  std::string lookup_reason;
  const bool may_look_up = request.use_cache && !is_lost(request.key);
  std::optional<StepDone> found;
  if (may_look_up) {
    found = find_here(request, lookup_reason);
    std::string shared_reason;
    if (!found) found = find_shared(request, shared_reason);
    if (!shared_reason.empty()) lookup_reason = shared_reason;
  }
  if (found) {
    if (!on_miss_) cache_.remember_slot(request.slot, request.key);
    return *found;
  }
  if (on_miss_) {
    StepMissed missed;
    explain_miss(request, lookup_reason, missed.why);
    missed.why.key = request.key;
    throw missed;
  }
  const FileLock held = lock(request, number);
  // Another process may have executed it meanwhile.
  std::string ignored;
  if (may_look_up) found = find_here(request, ignored);
  std::optional<StepSharing::Turn> my_turn = may_look_up && !found ? turn(request, number, found) : std::nullopt;
  if (found) {
    cache_.remember_slot(request.slot, request.key);
    return *found;
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
  record.inputs = salted_inputs(request.all_inputs(), record.salt);
  cache_.store(record);
  cache_.remember_slot(request.slot, request.key);
  if (on_layers_made_) on_layers_made_(request, record.layers);
  if (my_turn)
    sharing_->publish(new_step_entry(record, [&](const oci::Digest&) { return request.is_of_image; }),
                      std::move(*my_turn));
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
    const FetchingFor for_step(request.view.text);
    auto [done, was_first] = flights_->run(request.key, [&] { return look_up_or_execute(request, view.number); });
    if (!was_first && !on_miss_) cache_.remember_slot(request.slot, request.key);
    if (!was_first && done.result.outcome == StepOutcome::built) {
      done.result.outcome = StepOutcome::hit;
      done.result.from = "this run";
      done.result.reason.clear();
      done.result.differences.clear();
      done.result.against.clear();
    }
    note(request, done);
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
