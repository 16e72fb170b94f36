#include "builder/cli/progress/plain_progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/clock.hpp"
#include "base/count_of.hpp"
#include "base/terminal_text.hpp"
#include "base/text.hpp"
#include "builder/cli/progress/elapsed.hpp"

namespace kiln {

namespace {

// From here on a step is worth a line of its own before it ends.
constexpr double kMattersAfterSeconds = 1;
constexpr std::chrono::milliseconds kTick{250};
constexpr std::size_t kLabelColumns = 160;
constexpr std::size_t kReasonColumns = 100;
constexpr int kNoStep = 0;

std::string because(const Miss& miss) {
  if (miss.reason.empty() || miss.kind == MissKind::first_build) return "";
  return fmt::format(" (not cached: {})", fit_width(printable(miss.reason), kReasonColumns));
}

// A failure's message without the last lines of output that it may end with: all of them stand above it.
std::string without_tail(std::string_view reason) {
  std::string kept;
  for (const std::string_view line : split(reason, '\n')) {
    if (line.starts_with("  | ")) continue;
    if (!kept.empty()) kept += '\n';
    kept += line;
  }
  while (kept.ends_with('\n')) kept.pop_back();
  return kept;
}

}  // namespace

PlainProgress::PlainProgress(int fd, ProgressClock clock, Options options)
    : output_(fd), clock_(std::move(clock)), options_(std::move(options)) {
  if (options_.ticks == Ticks::by_events) return;
  ticks_ = std::thread([this] {
    std::unique_lock lock(mutex_);
    while (!stop_.wait_for(lock, kTick, [this] { return is_ending_; })) tell_slow_ones();
  });
}

PlainProgress::~PlainProgress() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  stop_.notify_one();
  if (ticks_.joinable()) ticks_.join();
  const std::lock_guard lock(mutex_);
  while (!steps_.empty()) stop(steps_.begin()->first);
  sum_up();
  for (const Failure& failure : failures_) print_failure(failure);
}

void PlainProgress::info(std::string_view message) {
  const std::lock_guard lock(mutex_);
  for (const std::string_view line : split(message, '\n')) print(kNoStep, line);
}

void PlainProgress::warn(std::string_view message) {
  const std::lock_guard lock(mutex_);
  for (const std::string_view line : split(message, '\n')) print(kNoStep, fmt::format("WARNING: {}", line));
}

void PlainProgress::debug(std::string_view message) {
  if (options_.debug == Debug::hide) return;
  const std::lock_guard lock(mutex_);
  print(kNoStep, fmt::format("DEBUG: {}", message));
}

void PlainProgress::step_started(const StepView& view) {
  const std::lock_guard lock(mutex_);
  tell_slow_ones();
  Step& step = steps_[view.number];
  step.label = fit_width(step_label(view), kLabelColumns);
  step.tally = view.tally;
  step.started = clock_();
}

void PlainProgress::step_missed(int number, const Miss& miss) {
  const std::lock_guard lock(mutex_);
  if (Step* step = find(number)) step->missed = miss;
}

void PlainProgress::step_output(int number, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  tell_slow_ones();
  Step* step = find(number);
  if (!step) return;
  if (step->output.partial().empty()) step->line_started = clock_();
  const std::vector<std::string> lines = step->output.feed(bytes);
  keep(number, *step, lines);
  if (!lines.empty()) step->line_started = clock_();
}

void PlainProgress::step_progress(int number, std::string_view, std::uint64_t done, std::uint64_t) {
  const std::lock_guard lock(mutex_);
  tell_slow_ones();
  if (Step* step = find(number)) step->moved = done;
}

void PlainProgress::step_finished(int number, const StepResult& result) {
  const std::lock_guard lock(mutex_);
  tell_slow_ones();
  Step* step = find(number);
  if (!step) return;
  switch (result.outcome) {
    case StepOutcome::hit:
      // What another image of this run executed is told there.
      if (result.from != kFromThisRun && (result.key.empty() || hit_keys_.insert(result.key).second))
        ++hits_[result.from];
      if (step->is_told) end(number, result.from.empty() ? "CACHED" : fmt::format("CACHED ({})", result.from));
      steps_.erase(number);
      return;
    case StepOutcome::built:
      step->missed = {result.reason, result.miss_kind};
      end(number, "DONE " + human_seconds(result.seconds));
      return;
    case StepOutcome::failed:
      if (result.was_stopped) return stop(number);
      fail(number, result.reason);
      return;
  }
}

void PlainProgress::task_finished(int number, std::string_view error) {
  const std::lock_guard lock(mutex_);
  tell_slow_ones();
  Step* step = find(number);
  if (!step) return;
  if (!error.empty()) return fail(number, error);
  if (!step->tally.empty()) {
    Tally& tally = tallies_[step->tally];
    ++tally.count;
    tally.bytes += step->moved;
    if (!step->is_told) {
      steps_.erase(number);
      return;
    }
  }
  end(number, "DONE " + human_seconds(clock_() - step->started));
}

void PlainProgress::task_stopped(int number) {
  const std::lock_guard lock(mutex_);
  stop(number);
}

PlainProgress::Step* PlainProgress::find(int number) {
  const auto found = steps_.find(number);
  return found == steps_.end() ? nullptr : &found->second;
}

void PlainProgress::tell(int number, Step& step) {
  if (step.is_told) return;
  print(number, step.label + because(step.missed));
  step.is_told = true;
  step.is_whole = true;
}

void PlainProgress::tell_slow_ones() {
  const double now = clock_();
  for (auto& [number, step] : steps_) {
    if (now - step.started >= kMattersAfterSeconds) tell(number, step);
  }
}

void PlainProgress::keep(int number, Step& step, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  const std::string time = elapsed_text(step.line_started - step.started);
  if (!options_.folds.can_fold()) tell(number, step);
  std::string all;
  for (const std::string& line : lines) {
    std::string timed = fmt::format("{} {}", time, line);
    if (!options_.folds.can_fold()) all += fmt::format("#{} {}\n", number, timed);
    step.kept.add(std::move(timed));
  }
  if (!all.empty()) write(number, all);
}

// The step's last line, with what it printed folded under it.
void PlainProgress::end(int number, const std::string& verdict) {
  Step& step = *find(number);
  keep(number, step, step.output.finish());
  const std::string line =
      printable(fmt::format("#{} {} {}{}", number, verdict, step.label, step.is_told ? "" : because(step.missed)));
  if (options_.folds.can_fold() && !step.kept.empty()) {
    const std::string prefix = fmt::format("#{} ", number);
    std::string text = step.kept.text(prefix);
    if (step.kept.forgotten() > 0) text = fmt::format("{}({} lines left out)\n{}", prefix, step.kept.forgotten(), text);
    write(number, options_.folds.folded(fmt::format("kiln_{}", number), line, text, now_unix_seconds()));
  } else {
    write(number, options_.folds.inert(line) + "\n");
  }
  steps_.erase(number);
}

void PlainProgress::fail(int number, std::string_view reason) {
  Step* step = find(number);
  if (!step) return;
  keep(number, *step, step->output.finish());
  Failure failure{number, step->label, std::string(reason), std::move(step->kept), step->is_whole};
  if (options_.folds.can_fold() || failure.kept.empty()) failure.is_above = false;
  print(number, fmt::format("ERROR {} {}", human_seconds(clock_() - step->started), step->label));
  // A step that several images share fails for each of them, and is executed for one.
  const bool is_known =
      failure.kept.empty() && std::any_of(failures_.begin(), failures_.end(),
                                          [&](const Failure& other) { return other.reason == failure.reason; });
  if (!failure.kept.empty()) {
    std::erase_if(failures_,
                  [&](const Failure& other) { return other.kept.empty() && other.reason == failure.reason; });
  }
  if (!is_known) failures_.push_back(std::move(failure));
  steps_.erase(number);
}

void PlainProgress::stop(int number) {
  Step* step = find(number);
  if (!step) return;
  keep(number, *step, step->output.finish());
  if (step->is_told || !step->kept.empty()) return end(number, "CANCELED");
  steps_.erase(number);
}

void PlainProgress::sum_up() {
  std::size_t all = 0;
  std::vector<std::string> sources;
  for (const auto& [from, count] : hits_) {
    all += count;
    sources.push_back(fmt::format("{} {}", count, from.empty() ? "recorded" : from));
  }
  if (all > 0) {
    print(kNoStep, fmt::format("{} from the cache ({})", count_of(all, "step"), join(sources, ", ")));
  }
  for (const auto& [what, tally] : tallies_) {
    print(kNoStep, fmt::format("{} {}{}", tally.count, what, tally.bytes > 0 ? ", " + human_bytes(tally.bytes) : ""));
  }
}

void PlainProgress::print_failure(const Failure& failure) {
  if (!failure.is_above) {
    output_.write("\n");
    print(kNoStep, fmt::format("#{} {}", failure.number, failure.label));
    std::string lines = failure.kept.text(fmt::format("#{} ", failure.number));
    if (failure.kept.forgotten() > 0)
      lines = fmt::format("#{} ({} lines left out)\n{}", failure.number, failure.kept.forgotten(), lines);
    std::string inert;
    for (const std::string_view line : split(lines, '\n')) inert += options_.folds.inert(line) + '\n';
    inert.pop_back();
    output_.write(inert);
  }
  const std::string reason = failure.kept.empty() ? failure.reason : without_tail(failure.reason);
  for (const std::string_view line : split(reason, '\n'))
    print(kNoStep, fmt::format("#{} ERROR: {}", failure.number, line));
}

void PlainProgress::print(int number, std::string_view text) {
  const std::string prefix = number == kNoStep ? "" : fmt::format("#{} ", number);
  write(number, options_.folds.inert(prefix + printable(text)) + "\n");
}

// What stands in the log from now on is no longer one step's alone, except for that of `number`.
void PlainProgress::write(int number, std::string_view bytes) {
  for (auto& [other, step] : steps_) {
    if (other != number) step.is_whole = false;
  }
  output_.write(bytes);
}

}  // namespace kiln
