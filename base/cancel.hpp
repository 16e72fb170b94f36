#pragma once

#include <atomic>
#include <memory>

#include "base/error.hpp"

namespace kiln {

// Tells work in progress that it should stop: copies share one flag. The command line's signal thread is the
// only one to set it; long loops call check(), waits poll is_cancelled().
class CancelToken {
 public:
  void cancel(int signal_number) const noexcept { state_->store(signal_number); }
  bool is_cancelled() const noexcept { return state_->load(std::memory_order_relaxed) != 0; }
  int signal_number() const noexcept { return state_->load(); }
  void check() const {
    if (is_cancelled()) throw Error(Category::cancelled, "stopped on request");
  }

 private:
  std::shared_ptr<std::atomic<int>> state_ = std::make_shared<std::atomic<int>>(0);
};

}  // namespace kiln
