#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>

#include "base/fd.hpp"

namespace kiln {

// Writes large files and has the kernel take them to the disk while more of them comes, by a thread of its own: the
// caller that writes never waits for the disk, and an fsync at the end waits for the last few megabytes alone.
//
// With Pages::recycle, what has reached the disk also leaves the page cache again where fresh pages are dear: on a
// virtual machine whose host takes free memory back, the first touch of a page can cost ten times as much as filling
// it, and pages that were just let go are the ones that come next (docs/performance.md, "Fresh pages": 0.8 s instead of
// 1.8 to 3.0 for 1.25 GB). Whether that is so is measured while writing; elsewhere, and where the disk is slower than
// the writer, everything stays in memory as the kernel likes it.
//
// Any thread may write. What is written is no more durable than by pwrite.
class WriteBehind {
 public:
  enum class Pages { keep, recycle };

  explicit WriteBehind(Pages pages) : pages_(pages) {}
  ~WriteBehind();  // waits for the call under way, not for the disk
  WriteBehind(const WriteBehind&) = delete;
  WriteBehind& operator=(const WriteBehind&) = delete;

  // Writes all bytes at an offset. Error{machine} naming `name`.
  void write(std::shared_ptr<const Fd> file, std::string_view bytes, std::uint64_t offset, std::string_view name);

 private:
  struct Range {
    std::shared_ptr<const Fd> file;
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
  };
  void add(Range range);
  void run();

  Pages pages_;
  std::mutex mutex_;  // for what is below
  std::condition_variable changed_;
  std::deque<Range> waiting_;
  std::uint64_t waiting_bytes_ = 0;
  bool stopping_ = false;
  std::thread thread_;  // begins with the first range
};

}  // namespace kiln
