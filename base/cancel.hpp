#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace kiln {

// The message of work that was stopped.
inline constexpr std::string_view kStoppedOnRequest = "stopped on request";

// Tells work in progress that it should stop: copies share one flag. The command line's signal thread is the
// only one to set that of the whole command; long loops call check(), waits poll is_cancelled().
class CancelToken {
 public:
  // For a part of the work: fires when this one does, and can be fired without it.
  CancelToken child() const {
    CancelToken part;
    part.state_->parent = state_;
    return part;
  }

  void cancel(int signal_number) const noexcept { state_->signal = signal_number; }
  bool is_cancelled() const noexcept { return signal_number() != 0; }
  int signal_number() const noexcept {
    for (const State* state = state_.get(); state; state = state->parent.get()) {
      if (const int signal = state->signal.load(std::memory_order_relaxed)) return signal;
    }
    return 0;
  }
  void check() const {
    if (is_cancelled()) throw Error(Category::cancelled, std::string(kStoppedOnRequest));
  }

 private:
  struct State {
    std::atomic<int> signal{0};
    std::shared_ptr<const State> parent;  // null for a whole command's
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace kiln
