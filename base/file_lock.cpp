#include "base/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <thread>

#include "base/cancel.hpp"
#include "base/error.hpp"
#include "base/stop_signal.hpp"

namespace kiln {

namespace {

constexpr std::chrono::milliseconds kFirstPause{1};
constexpr std::chrono::milliseconds kLongestPause{20};
constexpr std::chrono::milliseconds kGrace{400};

Fd open_lock_file(const fs::path& path) {
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  // A lock needs no right to write, and a store on a read-only file system can be looked at.
  if (!fd && errno == EROFS) fd = Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw_errno("open lock file", path.native());
  return fd;
}

int operation(LockMode mode) { return mode == LockMode::shared ? LOCK_SH : LOCK_EX; }

bool try_lock(const Fd& fd, LockMode mode, const fs::path& path) {
  while (::flock(fd.get(), operation(mode) | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) throw_errno("lock", path.native());
  }
  return true;
}

}  // namespace

// A wait in the kernel ends by a signal only in the thread that the signal is given to, so it is asked for the lock
// again and again.
FileLock FileLock::acquire(const fs::path& path, LockMode mode) {
  Fd fd = open_lock_file(path);
  auto pause = kFirstPause;
  std::chrono::milliseconds since_stop{0};
  while (!try_lock(fd, mode, path)) {
    if (stop_signal() != 0) {
      // Others hold most locks for a moment only, and what was finished is kept where that can be.
      if (since_stop >= kGrace) throw Error(Category::cancelled, std::string(kStoppedOnRequest));
      since_stop += pause;
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, kLongestPause);
  }
  return FileLock(std::move(fd));
}

std::optional<FileLock> FileLock::try_acquire(const fs::path& path, LockMode mode) {
  Fd fd = open_lock_file(path);
  if (!try_lock(fd, mode, path)) return std::nullopt;
  return FileLock(std::move(fd));
}

}  // namespace kiln
