#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <vector>

namespace kiln {

// Does in the background, a few jobs at a time and in their order, what will be asked for soon: fetching a layer,
// hashing a file. Nothing depends on it: a job that fails is over, takes its thread's turn with it, and fails again for
// the caller that asks for its result. The destructor begins no other job and waits for those under way, which look at
// is_stopping() where they are long. Any thread may add jobs.
class WorkAhead {
 public:
  explicit WorkAhead(std::size_t at_once) : at_once_(at_once) {}
  ~WorkAhead();
  WorkAhead(const WorkAhead&) = delete;
  WorkAhead& operator=(const WorkAhead&) = delete;

  void add(std::function<void()> job);
  bool is_stopping() const noexcept { return is_stopping_; }

 private:
  void work();

  const std::size_t at_once_;
  std::atomic<bool> is_stopping_{false};
  std::mutex mutex_;  // for what is below
  std::deque<std::function<void()>> jobs_;
  std::size_t working_ = 0;
  std::vector<std::future<void>> workers_;
};

}  // namespace kiln
