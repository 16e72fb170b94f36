#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <string>

#include "base/cancel.hpp"

namespace kiln {

// Bounds how many stages work at the same time. Every stage has a thread of its own, which is cheap while it waits;
// it holds a slot only while it works, so that waiting for another stage can never block that stage.
class WorkSlots {
 public:
  explicit WorkSlots(std::size_t count) : free_(count) {}

  class Slot {
   public:
    Slot(Slot&& other) noexcept : slots_(std::exchange(other.slots_, nullptr)) {}
    Slot& operator=(Slot&&) = delete;
    ~Slot() {
      if (slots_) slots_->release();
    }

   private:
    friend class WorkSlots;
    explicit Slot(WorkSlots* slots) : slots_(slots) {}
    WorkSlots* slots_;
  };

  // Waits for a slot. Error{cancelled} where `cancel` fires first.
  Slot acquire(const CancelToken& cancel);

 private:
  void release();
  std::mutex mutex_;
  std::condition_variable wake_;
  std::size_t free_;
};

// Runs equal work once: of all callers with the same key the first one does it, the others wait and share its result
// or its exception.
template <class Value>
class SingleFlight {
 public:
  struct Result {
    Value value;
    bool was_first;
  };
  Result run(const std::string& key, const std::function<Value()>& work) {
    std::promise<Value> promise;
    std::shared_future<Value> future;
    bool first = false;
    {
      const std::lock_guard lock(mutex_);
      const auto [it, inserted] = flights_.try_emplace(key);
      if (inserted) it->second = promise.get_future().share();
      future = it->second;
      first = inserted;
    }
    if (first) {
      try {
        promise.set_value(work());
      } catch (...) {
        promise.set_exception(std::current_exception());
      }
    }
    return {future.get(), first};
  }

  // The next caller with this key does the work again.
  void forget(const std::string& key) {
    const std::lock_guard lock(mutex_);
    flights_.erase(key);
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_future<Value>> flights_;
};

}  // namespace kiln
