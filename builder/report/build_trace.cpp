#include "builder/report/build_trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/clock.hpp"
#include "base/credentials.hpp"
#include "base/text.hpp"
#include "base/utf8.hpp"
#include "builder/cache/step_record.hpp"

namespace kiln {

namespace {

constexpr std::size_t kBuild = 0;  // the number of its span
constexpr std::size_t kLongestName = 120;

std::string new_id(std::size_t digits) { return new_salt().substr(0, digits); }

std::string harmless(std::string_view text) { return printable(without_url_credentials(text)); }

// A message without the last lines of a command's output, which may hold anything.
std::string without_output(std::string_view message) {
  std::string kept;
  for (const std::string_view line : split(message, '\n')) {
    if (line.empty() || line.starts_with("  | ")) continue;
    if (!kept.empty()) kept += ' ';
    kept += line;
  }
  return harmless(kept);
}

// Why a step missed, by the names of what changed: their values stay here.
std::string reason_of(const StepResult& result) {
  if (result.differences.empty()) return harmless(result.reason);
  std::vector<std::string> names;
  for (const InputDifference& difference : result.differences) names.push_back(harmless(difference.name));
  return join(names, ", ") + " changed";
}

std::string short_name(const std::string& text) {
  const std::string name = harmless(text);
  if (name.size() <= kLongestName) return name;
  return name.substr(0, character_start(name, kLongestName)) + "...";
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }) &&
         text.find_first_not_of('0') != std::string_view::npos;
}

}  // namespace

std::optional<TraceParent> parse_traceparent(std::string_view text) {
  const auto parts = split(text, '-');
  if (parts.size() != 4 || parts[0] != "00" || parts[1].size() != 32 || parts[2].size() != 16) return std::nullopt;
  if (!is_hex(parts[1]) || !is_hex(parts[2])) return std::nullopt;
  return TraceParent{std::string(parts[1]), std::string(parts[2])};
}

BuildTrace::BuildTrace(std::string name, const std::optional<TraceParent>& parent)
    : trace_id_(parent ? parent->trace_id : new_id(32)),
      began_(monotonic_seconds()),
      began_unix_(static_cast<UnixNanoseconds>(
          std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
              .count())) {
  TraceSpan& build = spans_.emplace_back();
  build.id = new_id(16);
  build.name = std::move(name);
  build.start = build.end = began_unix_;
  if (parent) build.parent_id = parent->span_id;
}

UnixNanoseconds BuildTrace::now() const {
  return began_unix_ + static_cast<UnixNanoseconds>((monotonic_seconds() - began_) * 1e9);
}

std::size_t BuildTrace::add(std::string name, std::size_t parent) {
  TraceSpan& span = spans_.emplace_back();
  span.id = new_id(16);
  span.parent_id = spans_[parent].id;
  span.name = std::move(name);
  span.start = span.end = now();
  return spans_.size() - 1;
}

std::size_t BuildTrace::target_of(const std::string& name, const std::string& platform) {
  if (name.empty()) return kBuild;
  const auto [found, is_first] = targets_.try_emplace(name + "\n" + platform, spans_.size());
  if (!is_first) return found->second;
  const std::size_t number = add(harmless(name), kBuild);
  spans_[number].attributes.emplace_back("kiln.target", harmless(name));
  if (!platform.empty()) spans_[number].attributes.emplace_back("kiln.platform", platform);
  return number;
}

void BuildTrace::step_started(const StepView& step) {
  const std::lock_guard lock(mutex_);
  const std::size_t number = add(short_name(step.text), target_of(step.target, step.platform));
  auto& attributes = spans_[number].attributes;
  const auto attribute = [&](const char* name, const std::string& value) {
    if (!value.empty()) attributes.emplace_back(name, harmless(value));
  };
  attribute("kiln.target", step.target);
  attribute("kiln.stage", step.stage);
  attribute("kiln.platform", step.platform);
  attribute("code.file.path", step.file);
  if (step.line > 0) attributes.emplace_back("code.line.number", std::int64_t{step.line});
  open_[step.number] = {number, step.target + "\n" + step.platform, 0};
}

void BuildTrace::step_missed(int number) {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(number);
  if (found != open_.end())
    spans_[found->second.span].attributes.emplace_back(
        "kiln.lookup.seconds", static_cast<double>(now() - spans_[found->second.span].start) / 1e9);
}

void BuildTrace::step_progress(int number, std::uint64_t done) {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(number);
  if (found != open_.end()) found->second.moved = done;
}

void BuildTrace::step_finished(int number, const StepResult& result) {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(number);
  if (found == open_.end()) return;
  auto& attributes = spans_[found->second.span].attributes;
  if (!result.key.empty()) attributes.emplace_back("kiln.step.key", result.key);
  if (!result.from.empty()) attributes.emplace_back("kiln.cache.from", harmless(result.from));
  attributes.emplace_back("kiln.layer.bytes", static_cast<std::int64_t>(result.bytes));
  switch (result.outcome) {
    case StepOutcome::hit:
      attributes.emplace_back("kiln.saved.seconds", result.seconds);
      return end(number, "hit", std::nullopt);
    case StepOutcome::built:
      attributes.emplace_back("kiln.miss.reason", reason_of(result));
      return end(number, "built", std::nullopt);
    case StepOutcome::failed:
      if (result.was_stopped) return end(number, "stopped", std::nullopt);
      return end(number, "failed", without_output(result.reason));
  }
}

void BuildTrace::task_finished(int number, std::string_view error) {
  const std::lock_guard lock(mutex_);
  if (error.empty()) return end(number, "done", std::nullopt);
  end(number, "failed", without_output(error));
}

void BuildTrace::task_stopped(int number) {
  const std::lock_guard lock(mutex_);
  end(number, "stopped", std::nullopt);
}

void BuildTrace::end(int number, const char* outcome, std::optional<std::string> error) {
  const auto found = open_.find(number);
  if (found == open_.end()) return;
  TraceSpan& span = spans_[found->second.span];
  span.end = now();
  span.attributes.emplace_back("kiln.outcome", std::string(outcome));
  if (found->second.moved > 0)
    span.attributes.emplace_back("kiln.moved.bytes", static_cast<std::int64_t>(found->second.moved));
  span.error = std::move(error);
  const auto target = targets_.find(found->second.target);
  if (target != targets_.end()) {
    TraceSpan& above = spans_[target->second];
    above.end = std::max(above.end, span.end);
    if (span.error) above.error = span.error;
  }
  open_.erase(found);
}

void BuildTrace::stage_waits(const StageView& stage, const StageView& other) {
  const std::lock_guard lock(mutex_);
  const std::string name = other.target.empty() || other.target == stage.target ? other.stage : other.target;
  const std::size_t number = add("wait for " + harmless(name), target_of(stage.target, stage.platform));
  auto& attributes = spans_[number].attributes;
  attributes.emplace_back("kiln.stage", harmless(stage.stage));
  if (!other.target.empty()) attributes.emplace_back("kiln.waits_for.target", harmless(other.target));
  attributes.emplace_back("kiln.waits_for.stage", harmless(other.stage));
  waits_[stage] = number;
}

void BuildTrace::stage_goes_on(const StageView& stage) {
  const std::lock_guard lock(mutex_);
  const auto found = waits_.find(stage);
  if (found == waits_.end()) return;
  spans_[found->second].end = now();
  waits_.erase(found);
}

void BuildTrace::finish(const std::optional<std::string>& error) {
  const std::lock_guard lock(mutex_);
  while (!open_.empty()) end(open_.begin()->first, "stopped", std::nullopt);
  const UnixNanoseconds last = now();
  for (const auto& [stage, number] : waits_) spans_[number].end = last;
  waits_.clear();
  spans_[kBuild].end = last;
  spans_[kBuild].attributes.emplace_back("kiln.outcome", std::string(error ? "failed" : "done"));
  if (error) spans_[kBuild].error = without_output(*error);
}

void TraceRecorder::step_started(const StepView& step) {
  trace_->step_started(step);
  next_->step_started(step);
}

void TraceRecorder::step_missed(int number, const Miss& miss) {
  trace_->step_missed(number);
  next_->step_missed(number, miss);
}

void TraceRecorder::step_progress(int number, std::string_view what, std::uint64_t done, std::uint64_t total) {
  trace_->step_progress(number, done);
  next_->step_progress(number, what, done, total);
}

void TraceRecorder::step_finished(int number, const StepResult& result) {
  trace_->step_finished(number, result);
  next_->step_finished(number, result);
}

void TraceRecorder::task_finished(int number, std::string_view error) {
  trace_->task_finished(number, error);
  next_->task_finished(number, error);
}

void TraceRecorder::task_stopped(int number) {
  trace_->task_stopped(number);
  next_->task_stopped(number);
}

void TraceRecorder::stage_waits(const StageView& stage, const StageView& other) {
  trace_->stage_waits(stage, other);
  next_->stage_waits(stage, other);
}

void TraceRecorder::stage_goes_on(const StageView& stage) {
  trace_->stage_goes_on(stage);
  next_->stage_goes_on(stage);
}

}  // namespace kiln
