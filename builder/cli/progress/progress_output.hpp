#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "builder/steps/events.hpp"

namespace kiln {

// Seconds of a clock that never goes back.
using ProgressClock = std::function<double()>;

// Where a display writes: a borrowed descriptor, waited for where it is non-blocking. A display must never fail the
// build, so the first error (a closed terminal, a reader that went away) silences it for good.
class ProgressOutput {
 public:
  explicit ProgressOutput(int fd) : fd_(fd) {}
  void write(std::string_view bytes);

 private:
  int fd_;
  bool broken_ = false;
};

// "[memory-fusion-hub-mainpc builder 2/5] RUN pip install ...", in one line that is safe to print.
std::string step_label(const StepView& step);

}  // namespace kiln
