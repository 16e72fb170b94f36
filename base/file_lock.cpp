#include "base/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "base/error.hpp"

namespace kiln {

namespace {

Fd open_lock_file(const fs::path& path) {
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  // A lock needs no right to write, and a store on a read-only file system can be looked at.
  if (!fd && errno == EROFS) fd = Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw_errno("open lock file", path.native());
  return fd;
}

int operation(LockMode mode) { return mode == LockMode::shared ? LOCK_SH : LOCK_EX; }

}  // namespace

FileLock FileLock::acquire(const fs::path& path, LockMode mode) {
  Fd fd = open_lock_file(path);
  while (::flock(fd.get(), operation(mode)) != 0) {
    if (errno != EINTR) throw_errno("lock", path.native());
  }
  return FileLock(std::move(fd));
}

std::optional<FileLock> FileLock::try_acquire(const fs::path& path, LockMode mode) {
  Fd fd = open_lock_file(path);
  while (::flock(fd.get(), operation(mode) | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return std::nullopt;
    if (errno != EINTR) throw_errno("lock", path.native());
  }
  return FileLock(std::move(fd));
}

}  // namespace kiln
