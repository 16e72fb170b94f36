#include "builder/layer/beneath.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "base/text.hpp"

namespace kiln {

namespace {

Fd open_by_components(const Fd& folder, std::string_view path, int flags) {
  Fd at;
  const Fd* current = &folder;
  const auto parts = split(path, '/');
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool is_last = i + 1 == parts.size();
    const int step = is_last ? flags : O_PATH | O_DIRECTORY;
    Fd next(::openat(current->get(), std::string(parts[i]).c_str(), step | O_NOFOLLOW | O_CLOEXEC));
    if (!next) return next;
    at = std::move(next);
    current = &at;
  }
  return at;
}

}  // namespace

Fd open_beneath(const Fd& folder, std::string_view path, int flags) {
  const std::string name = path.empty() ? "." : std::string(path);
  // A container's seccomp filter may refuse the call by EPERM or ENOSYS; a path never does.
  static std::atomic<bool> has_openat2{true};
  if (has_openat2.load(std::memory_order_relaxed)) {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags | O_NOFOLLOW | O_CLOEXEC);
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    for (int attempt = 0; attempt < 16; ++attempt) {
      const long fd = ::syscall(SYS_openat2, folder.get(), name.c_str(), &how, sizeof how);
      if (fd >= 0) return Fd(static_cast<int>(fd));
      if (errno == EINTR || errno == EAGAIN) continue;  // somebody renamed on the way
      if (errno != ENOSYS && errno != EPERM) return {};
      break;
    }
    if (errno == ENOSYS || errno == EPERM) {
      Fd fd = open_by_components(folder, name, flags);
      if (fd) has_openat2.store(false, std::memory_order_relaxed);
      return fd;
    }
  }
  return open_by_components(folder, name, flags);
}

Fd open_file_beneath(const Fd& folder, std::string_view path) {
  const Fd place = open_beneath(folder, path, O_PATH);
  struct stat status {};
  if (!place || ::fstat(place.get(), &status) != 0) return {};
  if (!S_ISREG(status.st_mode)) {
    errno = EINVAL;
    return {};
  }
  return Fd(::open(magic_path(place, "").c_str(), O_RDONLY | O_CLOEXEC));
}

std::string magic_path(const Fd& folder, std::string_view name) {
  std::string path = "/proc/self/fd/" + std::to_string(folder.get());
  if (!name.empty()) {
    path += '/';
    path += name;
  }
  return path;
}

}  // namespace kiln
