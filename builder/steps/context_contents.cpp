#include "builder/steps/context_contents.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

namespace kiln {

namespace {

constexpr std::size_t kFilesAhead = 256;  // hashed ahead at once: a caller that comes meanwhile waits for these

// Counts a caller while it waits.
class Waiting {
 public:
  explicit Waiting(std::atomic<int>& count) : count_(count) { ++count_; }
  ~Waiting() { --count_; }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 private:
  std::atomic<int>& count_;
};

}  // namespace

std::vector<LivingFiles::Content> ContextContents::read(std::span<const std::size_t> numbers) {
  const Waiting waiting(waiting_);
  const std::lock_guard lock(mutex_);
  return files_.read(numbers);
}

void ContextContents::read_ahead(std::span<const std::size_t> numbers, const std::function<bool()>& is_stopping) {
  while (!numbers.empty() && !is_stopping()) {
    while (waiting_ > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const std::size_t count = std::min(numbers.size(), kFilesAhead);
    {
      const std::lock_guard lock(mutex_);
      files_.read(numbers.first(count));
    }
    numbers = numbers.subspan(count);
  }
}

}  // namespace kiln
