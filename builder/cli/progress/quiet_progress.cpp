#include "builder/cli/progress/quiet_progress.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace kiln {

void QuietProgress::step_started(const StepView& step) {
  const std::lock_guard lock(mutex_);
  labels_[step.number] = step_label(step);
}

void QuietProgress::step_finished(int number, const StepResult& result) {
  end(number, result.outcome == StepOutcome::failed && !result.was_stopped ? std::string_view(result.reason)
                                                                           : std::string_view());
}

void QuietProgress::task_finished(int number, std::string_view error) { end(number, error); }

void QuietProgress::task_stopped(int number) { end(number, ""); }

void QuietProgress::end(int number, std::string_view error) {
  const std::lock_guard lock(mutex_);
  if (!error.empty()) {
    output_.write(folds_.inert(fmt::format("ERROR: {}: {}", printable(labels_[number]), printable(error))) + "\n");
  }
  labels_.erase(number);
}

}  // namespace kiln
