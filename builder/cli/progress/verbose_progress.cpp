#include "builder/cli/progress/verbose_progress.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "builder/cli/progress/elapsed.hpp"

namespace kiln {

namespace {

constexpr double kTellTransferEverySeconds = 5;

std::string prefix_of(int number) { return fmt::format("#{} ", number); }

}  // namespace

VerboseProgress::VerboseProgress(int fd, ProgressClock clock, Debug debug, LogFolds folds)
    : output_(fd), clock_(std::move(clock)), debug_(debug), folds_(std::move(folds)) {}

VerboseProgress::~VerboseProgress() {
  const std::lock_guard lock(mutex_);
  while (!steps_.empty()) {
    const int number = steps_.begin()->first;
    end(number);
    print(prefix_of(number), "CANCELED");
  }
}

void VerboseProgress::info(std::string_view message) {
  const std::lock_guard lock(mutex_);
  print("", message);
}

void VerboseProgress::warn(std::string_view message) {
  const std::lock_guard lock(mutex_);
  print("WARNING: ", message);
}

void VerboseProgress::debug(std::string_view message) {
  if (debug_ == Debug::hide) return;
  const std::lock_guard lock(mutex_);
  print("DEBUG: ", message);
}

void VerboseProgress::step_started(const StepView& view) {
  const std::lock_guard lock(mutex_);
  if (printed_) output_.write("\n");
  print(prefix_of(view.number), step_label(view));
  step(view.number);
}

void VerboseProgress::step_output(int number, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  Step& entry = step(number);
  if (entry.output.partial().empty()) entry.line_started = clock_();
  const std::vector<std::string> lines = entry.output.feed(bytes);
  print_output(number, entry, lines);
  if (!lines.empty()) entry.line_started = clock_();
}

void VerboseProgress::step_progress(int number, std::string_view what, std::uint64_t done, std::uint64_t total) {
  const std::lock_guard lock(mutex_);
  const double now = clock_();
  Step& entry = step(number);
  const auto [found, is_new] = entry.transfers.try_emplace(std::string(what), Transfer{now, now, false});
  Transfer& transfer = found->second;
  const bool at_end = total > 0 && done >= total;
  if (transfer.ended || (!at_end && now - transfer.told < kTellTransferEverySeconds)) return;
  transfer.told = now;
  transfer.ended = at_end;
  const std::string of = total > 0 ? " / " + human_bytes(total) : "";
  print(prefix_of(number), fmt::format("{} {}{} {}{}", what, human_bytes(done), of,
                                       human_seconds(now - transfer.started), at_end ? " done" : ""));
}

void VerboseProgress::step_finished(int number, const StepResult& result) {
  const std::lock_guard lock(mutex_);
  end(number);
  const std::string prefix = prefix_of(number);
  switch (result.outcome) {
    case StepOutcome::hit:
      print(prefix, result.from.empty() ? "CACHED" : fmt::format("CACHED ({})", result.from));
      return;
    case StepOutcome::built:
      if (!result.reason.empty()) print(prefix, "not cached: " + result.reason);
      print(prefix, "DONE " + human_seconds(result.seconds));
      return;
    case StepOutcome::failed:
      print(prefix, result.was_stopped ? "CANCELED" : "ERROR: " + result.reason);
      return;
  }
}

void VerboseProgress::task_finished(int number, std::string_view error) {
  const std::lock_guard lock(mutex_);
  const double seconds = clock_() - step(number).started;
  end(number);
  print(prefix_of(number), error.empty() ? "DONE " + human_seconds(seconds) : fmt::format("ERROR: {}", error));
}

void VerboseProgress::task_stopped(int number) {
  const std::lock_guard lock(mutex_);
  end(number);
  print(prefix_of(number), "CANCELED");
}

VerboseProgress::Step& VerboseProgress::step(int number) {
  const auto [found, is_new] = steps_.try_emplace(number);
  if (is_new) found->second.started = clock_();
  return found->second;
}

void VerboseProgress::print(std::string_view prefix, std::string_view text) {
  std::string lines;
  for (const std::string_view line : split(text, '\n'))
    lines += folds_.inert(fmt::format("{}{}", prefix, printable(line))) + '\n';
  output_.write(lines);
  printed_ = true;
}

void VerboseProgress::print_output(int number, const Step& entry, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  const std::string prefix = fmt::format("#{} {} ", number, elapsed_text(entry.line_started - entry.started));
  std::string all;
  for (const std::string& line : lines) all += folds_.inert(prefix + line) + '\n';
  output_.write(all);
  printed_ = true;
}

void VerboseProgress::end(int number) {
  Step& entry = step(number);
  print_output(number, entry, entry.output.finish());
  steps_.erase(number);
}

}  // namespace kiln
