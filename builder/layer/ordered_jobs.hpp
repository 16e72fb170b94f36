#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <utility>

#include "base/held_bytes.hpp"
#include "base/thread_pool.hpp"

namespace kiln {

// Makes results in a pool and hands them out in the order they were asked for. A waiting caller works too: pop() takes
// up jobs that no thread of the pool has begun, so it never waits for a queue, and may run in a job of the same pool.
// For one thread at a time.
template <class Result>
class OrderedJobs {
 public:
  OrderedJobs(ThreadPool& pool, BufferOwner owner) : pool_(&pool), owner_(owner), limit_(2 * pool.size() + 2) {}
  OrderedJobs(const OrderedJobs&) = delete;
  OrderedJobs& operator=(const OrderedJobs&) = delete;
  ~OrderedJobs() {
    for (auto& task : tasks_) {
      if (task->taken.exchange(true)) {
        task->result.wait();
      } else {
        task->job = nullptr;
      }
    }
  }

  bool empty() const noexcept { return tasks_.empty(); }
  // Then pop() before the next push(), so that memory stays bounded.
  bool full() const noexcept { return tasks_.size() >= limit_; }

  // `bytes`: what the job takes and makes, at most; counted as its owner's until pop().
  void push(std::uint64_t bytes, std::function<Result()> job) {
    auto task = std::make_shared<Task>(std::move(job), HeldBytes(owner_, bytes));
    tasks_.push_back(task);
    pool_->submit([task] { task->run(); });
  }

  // The oldest result, or its job's exception.
  Result pop() {
    auto oldest = tasks_.front();
    const auto is_done = [&] { return oldest->result.wait_for(std::chrono::seconds(0)) == std::future_status::ready; };
    while (!is_done() && std::any_of(tasks_.begin(), tasks_.end(), [](const auto& task) { return task->run(); })) {
    }
    tasks_.pop_front();
    return oldest->result.get();
  }

 private:
  struct Task {
    Task(std::function<Result()> work, HeldBytes bytes)
        : job(std::move(work)), result(promise.get_future()), held(std::move(bytes)) {}
    // False where somebody else had taken it. What the job holds is let go before anybody hears that it is done.
    bool run() {
      if (taken.exchange(true)) return false;
      try {
        Result made = job();
        job = nullptr;
        promise.set_value(std::move(made));
      } catch (...) {
        job = nullptr;
        promise.set_exception(std::current_exception());
      }
      return true;
    }
    std::function<Result()> job;
    std::promise<Result> promise;
    std::future<Result> result;
    std::atomic<bool> taken{false};
    HeldBytes held;
  };

  ThreadPool* pool_;
  BufferOwner owner_;
  std::size_t limit_;
  std::deque<std::shared_ptr<Task>> tasks_;
};

}  // namespace kiln
