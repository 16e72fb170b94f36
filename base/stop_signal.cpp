#include "base/stop_signal.hpp"

#include <atomic>

namespace kiln {

namespace {

std::atomic<int> noted_signal{0};
static_assert(std::atomic<int>::is_always_lock_free);

}  // namespace

void note_stop_signal(int number) noexcept { noted_signal = number; }

int stop_signal() noexcept { return noted_signal; }

}  // namespace kiln
