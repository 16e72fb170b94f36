#include "builder/solve/step_lookup.hpp"

#include <utility>

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

StepDone hit(StepRecord record, std::string from) {
  StepDone done{std::move(record), {}};
  done.result = result_of(done.record, StepOutcome::hit);
  done.result.from = std::move(from);
  return done;
}

}  // namespace

StepResult result_of(const StepRecord& record, StepOutcome outcome) {
  StepResult result;
  result.outcome = outcome;
  result.key = record.key;
  result.seconds = record.seconds;
  result.bytes = layer_bytes(record.layers);
  if (!record.layers.empty()) result.diff_id = record.layers.back().diff_id;
  result.layers = record.layers;
  result.network = record.network;
  return result;
}

std::string StepLookup::loss_of(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto it = lost_.find(key);
  return it == lost_.end() ? "" : it->second;
}

void StepLookup::lose(const Blocked& lost) {
  for (const auto& [key, text] : lost.lost) {
    if (shared_) shared_->distrust(key);
    const std::lock_guard lock(mutex_);
    const auto lie = lost.lies.find(key);
    lost_.insert_or_assign(key, lie == lost.lies.end() ? "no cache has its layer any more"
                                                       : "what a cache said of it is false: " + lie->second);
  }
}

StepLookup::Answer StepLookup::find_here(const Step& step) {
  StepCache::Lookup lookup = cache_.find(step.key);
  if (!lookup.record) return {std::nullopt, std::move(lookup.miss)};
  return {hit(std::move(*lookup.record), std::string(kFromThisMachine)), {}};
}

StepLookup::Answer StepLookup::find_shared(const Step& step) {
  if (!shared_ || !shared_->is_read()) return {};
  const SharedCache::Found found = shared_->find(step.key, kStepEntryType);
  if (!found.entry) return {std::nullopt, {found.reason}};
  try {
    StepRecord record = parse_step_record(found.entry->content, step.key, "step record of " + found.from);
    cache_.adopt(record);
    return {hit(std::move(record), found.from), {}};
  } catch (const Error& error) {
    if (error.category() == Category::cancelled) throw;
    log_.warn(error.message());
    return {std::nullopt, {error.message()}};
  }
}

StepLookup::Answer StepLookup::find(const Step& step) {
  if (!step.use_cache || is_lost(step.key)) return {};
  Answer here = find_here(step);
  if (here.found) return here;
  Answer shared = find_shared(step);
  if (!shared.found && shared.miss.reason.empty()) shared.miss = std::move(here.miss);
  return shared;
}

std::vector<StepRecord> StepLookup::shared_predecessors(const Step& step) {
  std::vector<StepRecord> records;
  if (!shared_) return records;
  for (const CacheEntry& entry : shared_->preloaded()) {
    try {
      StepRecord record = parse_step_record(entry.content, entry.key, "step record");
      // Not by target: images that share a step have one record of it.
      const bool is_same_place = record.kind == step.kind && record.file == step.view.file &&
                                 (record.line == step.view.line || record.text == step.view.text);
      if (is_same_place && entry.key != step.key) records.push_back(std::move(record));
    } catch (const Error&) {
      continue;
    }
  }
  return records;
}

void StepLookup::explain_miss(const Step& step, const Miss& miss, StepResult& result) {
  if (!step.use_cache) {
    result.reason = "the cache was not to be used";
    result.miss_kind = MissKind::cache_off;
    return;
  }
  if (std::string loss = loss_of(step.key); !loss.empty()) {
    result.reason = std::move(loss);
    return;
  }
  if (!miss.reason.empty()) {
    result.reason = miss.reason;
    result.miss_kind = miss.kind;
    return;
  }
  result.reason = "no earlier build of this step";
  result.miss_kind = MissKind::first_build;
  std::vector<StepRecord> before = cache_.earlier_in_slot(step.slot);
  if (before.empty()) before = shared_predecessors(step);
  if (before.empty()) return;
  result.miss_kind = MissKind::changed;
  const std::vector<RawInput> now = inputs_of(step);
  bool is_first = true;
  for (const StepRecord& earlier : before) {
    std::vector<InputDifference> differences = find_differences(now, earlier);
    if (!std::exchange(is_first, false) && differences.size() >= result.differences.size()) continue;
    result.against = earlier.created;
    result.differences = std::move(differences);
    result.reason = to_text(result.differences);
    if (!result.differences.empty()) continue;
    // The same inputs and another key: what a COPY meets at its target is part of the key alone.
    result.reason = earlier.key == step.key ? "its record is gone" : "what is at its target below changed";
  }
}

OrBlocked<StepDone> StepForecast::solve(const Step& step) {
  StepLookup::Answer answer = lookup_.find(step);
  ForeseenAnswer foreseen{step.view, {}, answer.found.has_value()};
  if (answer.found) {
    foreseen.result = answer.found->result;
  } else {
    lookup_.explain_miss(step, answer.miss, foreseen.result);
    foreseen.result.key = step.key;
  }
  {
    const std::lock_guard lock(mutex_);
    answers_.push_back(std::move(foreseen));
  }
  if (!answer.found) return Blocked{};
  return std::move(*answer.found);
}

std::vector<ForeseenAnswer> StepForecast::answers() const {
  const std::lock_guard lock(mutex_);
  return answers_;
}

}  // namespace kiln
