#include "builder/report/recorder.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "builder/report/image_sums.hpp"

namespace kiln {

namespace {

int strength(StepOutcome outcome) {
  switch (outcome) {
    case StepOutcome::hit:
      return 0;
    case StepOutcome::built:
      return 1;
    case StepOutcome::failed:
      return 2;
  }
  return 0;
}

ReportStep report_step_of(const HeardStep& heard) {
  ReportStep step;
  step.key = heard.result.key;
  step.image = heard.view.target;
  step.file = heard.view.file;
  step.line = heard.view.line;
  step.text = heard.view.text;
  step.outcome = heard.result.outcome;
  step.from = heard.result.from;
  step.reason = heard.result.reason;
  step.seconds = heard.result.seconds;
  step.bytes = heard.result.bytes;
  step.network = heard.result.network;
  step.started = heard.started;
  step.ended = heard.ended;
  return step;
}

// `step` and `other` have one key: leaves the stronger in `step`, with both images' names.
void merge(ReportStep& step, ReportStep other) {
  if (strength(other.outcome) > strength(step.outcome)) std::swap(step, other);
  std::vector<std::string>& names = step.shared_with;
  other.shared_with.insert(other.shared_with.begin(), other.image);
  for (std::string& name : other.shared_with) {
    if (name != step.image && std::find(names.begin(), names.end(), name) == names.end()) {
      names.push_back(std::move(name));
    }
  }
}

}  // namespace

// What stands in no line of a file is kiln's own: "resolve image NAME".
StepView Recorder::masked(StepView step) const {
  if (step.line == 0) step.text = masked(step.text);
  return step;
}

StepResult Recorder::masked(StepResult result) const {
  result.reason = masked(result.reason);
  for (InputDifference& difference : result.differences) {
    difference.name = masked(difference.name);
    difference.about = masked(difference.about);
    if (difference.before) difference.before = masked(*difference.before);
    if (difference.after) difference.after = masked(*difference.after);
  }
  return result;
}

void Recorder::info(std::string_view message) {
  if (BuildObserver* next = next_) next->info(masked(message));
}

void Recorder::warn(std::string_view message) {
  if (BuildObserver* next = next_) next->warn(masked(message));
}

void Recorder::debug(std::string_view message) {
  if (BuildObserver* next = next_) next->debug(masked(message));
}

void Recorder::step_started(const StepView& told) {
  const StepView step = masked(told);
  {
    const std::lock_guard lock(mutex_);
    entry_of_number_[step.number] = entries_.size();
    Entry& entry = entries_.emplace_back();
    entry.heard.view = step;
    entry.heard.started = monotonic_seconds() - began_;
    const auto [earlier, is_first] = entry_of_place_.try_emplace(
        {step.target, step.platform, step.stage, step.index, step.line}, entries_.size() - 1);
    if (!is_first) {
      Entry& before = entries_[std::exchange(earlier->second, entries_.size() - 1)];
      before.is_superseded = before.finished && before.heard.result.outcome == StepOutcome::hit;
    }
  }
  if (BuildObserver* next = next_) next->step_started(step);
}

void Recorder::step_missed(int number, const Miss& miss) {
  if (BuildObserver* next = next_) next->step_missed(number, {masked(miss.reason), miss.kind});
}

void Recorder::step_output(int number, std::string_view bytes) {
  if (BuildObserver* next = next_) next->step_output(number, bytes);
}

void Recorder::step_progress(int number, std::string_view what, std::uint64_t done, std::uint64_t total) {
  if (BuildObserver* next = next_) next->step_progress(number, masked(what), done, total);
}

void Recorder::step_finished(int number, const StepResult& told) {
  const StepResult result = masked(told);
  {
    const std::lock_guard lock(mutex_);
    const auto found = entry_of_number_.find(number);
    if (found != entry_of_number_.end()) {
      Entry& entry = entries_[found->second];
      entry.finished = true;
      entry.heard.result = result;
      entry.heard.ended = monotonic_seconds() - began_;
    }
  }
  if (BuildObserver* next = next_) next->step_finished(number, result);
}

void Recorder::task_finished(int number, std::string_view error) {
  if (BuildObserver* next = next_) next->task_finished(number, masked(error));
}

void Recorder::task_stopped(int number) {
  if (BuildObserver* next = next_) next->task_stopped(number);
}

void Recorder::stage_waits(const StageView& stage, const StageView& other) {
  if (BuildObserver* next = next_) next->stage_waits(stage, other);
}

void Recorder::stage_goes_on(const StageView& stage) {
  if (BuildObserver* next = next_) next->stage_goes_on(stage);
}

bool Recorder::wants_expectation() const {
  const BuildObserver* next = next_;
  return next && next->wants_expectation();
}

void Recorder::build_expected(const std::vector<ExpectedStage>& stages) {
  if (BuildObserver* next = next_) next->build_expected(stages);
}

void Recorder::add_image(RecordedImage image) {
  const std::lock_guard lock(mutex_);
  images_.push_back(std::move(image));
}

void Recorder::add_wire(const ReportWire& wire) {
  const std::lock_guard lock(mutex_);
  wire_.pushed_bytes += wire.pushed_bytes;
  wire_.pulled_bytes += wire.pulled_bytes;
  wire_.mounted_bytes += wire.mounted_bytes;
}

void Recorder::add_fetched(std::vector<ReportFetch> fetched) {
  const std::lock_guard lock(mutex_);
  fetched_.insert(fetched_.end(), std::make_move_iterator(fetched.begin()), std::make_move_iterator(fetched.end()));
}

void Recorder::add_policy(const std::vector<PolicyFinding>& findings) {
  const std::lock_guard lock(mutex_);
  policy_.insert(policy_.end(), findings.begin(), findings.end());
}

std::vector<ReportStep> Recorder::counted_steps() const {
  std::vector<ReportStep> steps;
  std::map<std::string, std::size_t> by_key;
  for (const Entry& entry : entries_) {
    if (!entry.finished || entry.is_superseded) continue;
    const ReportStep step = report_step_of(entry.heard);
    const auto [found, is_new] = by_key.emplace(step.key, steps.size());
    if (is_new || step.key.empty()) {
      steps.push_back(step);
    } else {
      merge(steps[found->second], step);
    }
  }
  return steps;
}

std::vector<HeardStep> Recorder::heard_steps() const {
  const std::lock_guard lock(mutex_);
  std::vector<HeardStep> steps;
  for (const Entry& entry : entries_) {
    if (entry.finished && !entry.is_superseded) steps.push_back(entry.heard);
  }
  return steps;
}

BuildReport Recorder::report(const Run& run) const {
  const std::lock_guard lock(mutex_);
  BuildReport report;
  report.kiln_version = run.kiln_version;
  report.commit = run.commit;
  report.created = run.created;
  report.seconds = run.seconds;
  report.targets = run.targets;
  report.steps = counted_steps();
  report.rates = rates_of(report.steps);
  report.wire = wire_;
  report.fetched = fetched_;
  report.policy = policy_;
  report.images = images_with_sums(images_);
  report.fleet = fleet_of(images_, report.images);
  report.sharing = sharing_of(report.images);
  return report;
}

}  // namespace kiln
