#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace kiln {

// How every message of work that was stopped begins, so that a display can tell it from a failure.
inline constexpr std::string_view kStoppedOnRequest = "stopped on request";

// Tells work in progress that it should stop: copies share one flag. The command line's signal thread is the
// only one to set it; long loops call check(), waits poll is_cancelled().
class CancelToken {
 public:
  void cancel(int signal_number) const noexcept { state_->store(signal_number); }
  bool is_cancelled() const noexcept { return state_->load(std::memory_order_relaxed) != 0; }
  int signal_number() const noexcept { return state_->load(); }
  void check() const {
    if (is_cancelled()) throw Error(Category::cancelled, std::string(kStoppedOnRequest));
  }

 private:
  std::shared_ptr<std::atomic<int>> state_ = std::make_shared<std::atomic<int>>(0);
};

}  // namespace kiln
