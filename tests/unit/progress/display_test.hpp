#pragma once

#include <unistd.h>

#include <string>

#include "base/fd.hpp"
#include "base/file.hpp"
#include "base/temp_dir.hpp"
#include "builder/cli/progress/progress.hpp"

namespace kiln::test {

// A clock that stands still until it is told otherwise, and a file that takes what a display writes.
struct Stage {
  TempDir folder;
  fs::path file = folder.path() / "out";
  Fd fd = create_file(file);
  double now = 100;

  std::function<double()> clock() {
    return [this] { return now; };
  }
  std::string written() const { return read_file(file); }
};

inline StepView step(int number, std::string target, std::string stage, int index, int count, std::string text) {
  StepView view;
  view.number = number;
  view.target = std::move(target);
  view.stage = std::move(stage);
  view.index = index;
  view.count = count;
  view.text = std::move(text);
  return view;
}

inline StepResult hit(std::string from) {
  StepResult result;
  result.outcome = StepOutcome::hit;
  result.from = std::move(from);
  return result;
}

inline StepResult built(double seconds, std::string reason) {
  StepResult result;
  result.outcome = StepOutcome::built;
  result.seconds = seconds;
  result.reason = std::move(reason);
  return result;
}

inline StepResult failed(std::string reason) {
  StepResult result;
  result.outcome = StepOutcome::failed;
  result.reason = std::move(reason);
  return result;
}

inline StepResult stopped() {
  StepResult result = failed("stopped on request");
  result.was_stopped = true;
  return result;
}

}  // namespace kiln::test
