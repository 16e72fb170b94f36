#include "builder/run/host_mounts.hpp"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.hpp"
#include "builder/run/mount_calls.hpp"

namespace kiln {

namespace {

struct DetachedTree {
  fs::path place;
  Fd tree;
};

}  // namespace

void protect_host_mounts(const std::vector<fs::path>& writable) {
  // Copies that hang nowhere keep the flags they have. To make a mount writable again afterwards would take more rights
  // than a user namespace has, and would write to what the host itself holds read-only.
  std::vector<DetachedTree> kept;
  for (const fs::path& folder : writable) {
    Fd tree = copy_mount(folder);
    if (!tree && errno == ENOENT) continue;
    if (!tree) throw_errno("copy the mounts at", folder.native());
    kept.push_back({folder, std::move(tree)});
  }
  add_mount_flags("/", MOUNT_ATTR_RDONLY);
  for (const DetachedTree& item : kept) {
    if (::syscall(SYS_move_mount, item.tree.get(), "", AT_FDCWD, item.place.c_str(), MOVE_MOUNT_F_EMPTY_PATH) != 0) {
      throw_errno("keep writable", item.place.native());
    }
  }
}

}  // namespace kiln
