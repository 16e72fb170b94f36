#include "builder/run/mount_calls.hpp"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.hpp"

namespace kiln {

namespace {

bool add_flags(int folder, const char* path, unsigned how, std::uint64_t flags) {
  mount_attr attributes{};
  attributes.attr_set = flags;
  return ::syscall(SYS_mount_setattr, folder, path, how | static_cast<unsigned>(AT_RECURSIVE), &attributes,
                   sizeof attributes) == 0;
}

}  // namespace

Fd open_in_root(const Fd& root, const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  for (;;) {
    Fd found(static_cast<int>(::syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof how)));
    // EAGAIN: somebody renamed something on the way.
    if (found || (errno != EINTR && errno != EAGAIN)) return found;
  }
}

Fd copy_mount(const fs::path& path) {
  constexpr unsigned kFlags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | static_cast<unsigned>(AT_RECURSIVE);
  return Fd(static_cast<int>(::syscall(SYS_open_tree, AT_FDCWD, path.c_str(), kFlags)));
}

void add_mount_flags(const fs::path& path, std::uint64_t flags) {
  if (!add_flags(AT_FDCWD, path.c_str(), 0, flags)) throw_errno("set the flags of the mount at", path.native());
}

void add_mount_flags(const Fd& mount, std::uint64_t flags) {
  if (!add_flags(mount.get(), "", AT_EMPTY_PATH, flags)) throw_errno("set the flags of", "a mount");
}

}  // namespace kiln
