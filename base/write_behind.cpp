#include "base/write_behind.hpp"

#include <fcntl.h>

#include <atomic>
#include <ctime>
#include <utility>

#include "base/file.hpp"

namespace kiln {

namespace {

constexpr std::uint64_t kRangeBytes = std::uint64_t{4} << 20;    // what is sent to the disk at once
constexpr std::uint64_t kMaxWaiting = std::uint64_t{128} << 20;  // a slow disk gets the rest when the kernel thinks fit
constexpr std::uint64_t kWindowBytes = std::uint64_t{8} << 20;   // written last, and most likely not on the disk yet
constexpr std::uint64_t kMeasuredBytes = std::uint64_t{16} << 20;
constexpr std::size_t kMinMeasured = std::size_t{64} << 10;  // of a smaller write the call itself is what costs
constexpr double kDearNanosecondsPerByte = 0.7;              // filling a page that is in memory takes 0.1 to 0.4

std::int64_t thread_cpu_nanoseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// What the kernel needs for a byte that is written, over all files of this process.
class PageCost {
 public:
  void add(std::uint64_t bytes, std::int64_t nanoseconds) {
    const auto time = nanoseconds_.fetch_add(nanoseconds) + nanoseconds;
    const auto size = bytes_.fetch_add(bytes) + bytes;
    if (size < kMeasuredBytes) return;
    // Once dear they are taken to be so until the end: pages in use again are cheap, which says nothing about fresh
    // ones.
    if (static_cast<double>(time) > kDearNanosecondsPerByte * static_cast<double>(size)) is_high_ = true;
    bytes_ = 0;
    nanoseconds_ = 0;
  }
  bool is_high() const noexcept { return is_high_; }

 private:
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::int64_t> nanoseconds_{0};
  std::atomic<bool> is_high_{false};
};

PageCost page_cost;

}  // namespace

WriteBehind::~WriteBehind() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void WriteBehind::write(std::shared_ptr<const Fd> file, std::string_view bytes, std::uint64_t offset,
                        std::string_view name) {
  const bool is_measured = bytes.size() >= kMinMeasured;
  const std::int64_t begin = is_measured ? thread_cpu_nanoseconds() : 0;
  pwrite_all(*file, bytes, offset, name);
  if (is_measured) page_cost.add(bytes.size(), thread_cpu_nanoseconds() - begin);
  add({std::move(file), offset, bytes.size()});
}

void WriteBehind::add(Range range) {
  {
    const std::lock_guard lock(mutex_);
    waiting_bytes_ += range.bytes;
    Range* last = waiting_.empty() ? nullptr : &waiting_.back();
    if (last != nullptr && last->file == range.file && last->offset + last->bytes == range.offset &&
        last->bytes < kRangeBytes) {
      last->bytes += range.bytes;
    } else if (waiting_bytes_ > kMaxWaiting) {
      waiting_bytes_ -= range.bytes;
      return;
    } else {
      waiting_.push_back(std::move(range));
    }
    if (waiting_.front().bytes < kRangeBytes && waiting_.size() == 1) return;
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  }
  changed_.notify_all();
}

// No call here is more than a hint: where one fails, the pages are written and dropped when the kernel thinks fit.
void WriteBehind::run() {
  std::deque<Range> begun;  // on their way to the disk
  std::uint64_t begun_bytes = 0;
  for (;;) {
    Range range;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] {
        return stopping_ || waiting_.size() > 1 || (!waiting_.empty() && waiting_.front().bytes >= kRangeBytes);
      });
      if (stopping_) return;
      range = std::move(waiting_.front());
      waiting_.pop_front();
      waiting_bytes_ -= range.bytes;
    }
    const bool recycles = pages_ == Pages::recycle;
    if (recycles && !page_cost.is_high()) continue;
    ::sync_file_range(range.file->get(), static_cast<off64_t>(range.offset), static_cast<off64_t>(range.bytes),
                      SYNC_FILE_RANGE_WRITE);
    if (!recycles) continue;
    begun_bytes += range.bytes;
    begun.push_back(std::move(range));
    for (; begun_bytes > kWindowBytes; begun.pop_front()) {
      const Range& oldest = begun.front();
      begun_bytes -= oldest.bytes;
      ::posix_fadvise(oldest.file->get(), static_cast<off_t>(oldest.offset), static_cast<off_t>(oldest.bytes),
                      POSIX_FADV_DONTNEED);
    }
  }
}

}  // namespace kiln
