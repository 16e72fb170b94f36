#include "base/work_ahead.hpp"

#include <exception>
#include <utility>

namespace kiln {

WorkAhead::~WorkAhead() {
  is_stopping_ = true;
  for (std::future<void>& worker : workers_) worker.wait();
}

void WorkAhead::add(std::function<void()> job) {
  const std::lock_guard lock(mutex_);
  jobs_.push_back(std::move(job));
  if (working_ == at_once_) return;
  ++working_;
  workers_.push_back(std::async(std::launch::async, [this] { work(); }));
}

void WorkAhead::work() {
  for (bool has_failed = false;;) {
    std::function<void()> job;
    {
      const std::lock_guard lock(mutex_);
      if (has_failed || is_stopping_ || jobs_.empty()) {
        --working_;
        return;
      }
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    try {
      job();
    } catch (const std::exception&) {
      has_failed = true;
    }
  }
}

}  // namespace kiln
