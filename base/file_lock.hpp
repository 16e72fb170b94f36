#pragma once

#include <optional>

#include "base/fd.hpp"
#include "base/file.hpp"

namespace kiln {

enum class LockMode { shared, exclusive };

// A flock(2) on a file that is created where missing and never removed by this class. Released at the end, or
// by the kernel when the process dies. Move-only. Two locks of one process on one path exclude one another.
class FileLock {
 public:
  // Waits for the lock; Error{cancelled} where it is not to be had soon after the process was asked to stop
  // (stop_signal.hpp).
  static FileLock acquire(const fs::path& path, LockMode mode);
  // nullopt where somebody else holds it.
  static std::optional<FileLock> try_acquire(const fs::path& path, LockMode mode);

  const Fd& fd() const noexcept { return fd_; }

 private:
  explicit FileLock(Fd fd) noexcept : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace kiln
