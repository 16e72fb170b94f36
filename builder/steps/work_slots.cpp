#include "builder/steps/work_slots.hpp"

#include <chrono>

namespace kiln {

WorkSlots::Slot WorkSlots::acquire(const CancelToken& cancel) {
  std::unique_lock lock(mutex_);
  while (free_ == 0) {
    cancel.check();
    wake_.wait_for(lock, std::chrono::milliseconds(100));
  }
  cancel.check();
  --free_;
  return Slot(this);
}

void WorkSlots::release() {
  {
    const std::lock_guard lock(mutex_);
    ++free_;
  }
  wake_.notify_one();
}

}  // namespace kiln
