#include "builder/run/mount_source.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "builder/run/mount_calls.hpp"
#include "builder/run/overlay.hpp"
#include "builder/run/ssh_proxy.hpp"

namespace kiln {

namespace {

// The path inside a tree, links followed as if the tree were all there is.
Fd open_inside(const fs::path& tree, const std::string& path) {
  const Fd root(::open(tree.c_str(), O_PATH | O_CLOEXEC));
  if (!root) throw_errno("open mount source", tree.native());
  if (path.empty() || path == "/") return Fd(::open(tree.c_str(), O_PATH | O_CLOEXEC));
  Fd found = open_in_root(root, path);
  if (!found) {
    throw Error(Category::build, fmt::format("mount source '{}': {}", path, errno_text(errno)));
  }
  return found;
}

bool is_folder(const Fd& fd) {
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) throw_errno("look up", "mount source");
  return S_ISDIR(status.st_mode);
}

enum class Access { read_only, read_write };

enum class Devices { can_be_opened, cannot };

bool bind_to(const Fd& source, const fs::path& place, Access access, Devices devices) {
  const bool folder = is_folder(source);
  if (folder) {
    make_directories(place);
  } else {
    create_file(place, 0600);
  }
  const std::string by_descriptor = fmt::format("/proc/self/fd/{}", source.get());
  if (::mount(by_descriptor.c_str(), place.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) {
    throw_errno("bind mount source to", place.native());
  }
  if (access == Access::read_only) add_mount_flags(place, MOUNT_ATTR_RDONLY);
  if (devices == Devices::cannot) add_mount_flags(place, MOUNT_ATTR_NODEV);
  return !folder;
}

struct SourceMaker {
  const ContainerPlan& plan;
  const WorkerFolders& folders;
  std::size_t number;

  bool operator()(const BindSource& source) const {
    if (source.folders.empty())
      throw Error(Category::build, "a bind mount has no source: the stage it names has no files");
    fs::path tree = source.folders.front();
    if (source.writable || source.folders.size() > 1) tree = merged(source);
    return bind_to(open_inside(tree, source.path), folders.mount(number),
                   source.writable ? Access::read_write : Access::read_only, devices());
  }
  bool operator()(const CacheSource& source) const {
    return bind_to(open_inside(source.folder, source.path), folders.mount(number),
                   source.read_only ? Access::read_only : Access::read_write, devices());
  }
  bool operator()(const TmpfsSource&) const { return false; }
  bool operator()(const FileSource& source) const {
    const fs::path place = folders.mount(number);
    const Fd file = create_file(place, 0600);
    write_all(file, source.bytes, place.native());
    if (::fchown(file.get(), source.uid, source.gid) != 0) throw_errno("change the owner of", place.native());
    if (::fchmod(file.get(), source.mode & 07777) != 0) throw_errno("change the mode of", place.native());
    return true;
  }
  bool operator()(const SshSource& source) const {
    start_ssh_proxy(source, folders.mount(number));
    return true;
  }

  Devices devices() const { return plan.opens_no_devices ? Devices::cannot : Devices::can_be_opened; }

  // Several folders as one tree; where it is writable, what is written goes to a scratch folder.
  fs::path merged(const BindSource& source) const {
    const fs::path tree = folders.top / "trees" / std::to_string(number);
    make_directories(tree);
    OverlayMount overlay;
    overlay.lowers = source.folders;
    overlay.user_xattrs = plan.user_xattrs;
    if (source.writable) {
      overlay.upper = plan.upper.scratch / std::to_string(number) / "fs";
      overlay.work = plan.upper.scratch / std::to_string(number) / "work";
      make_directories(overlay.upper);
      make_directories(overlay.work);
      copy_root_attributes(source.folders.back(), overlay.upper);
    }
    mount_overlay(overlay, plan.snapshots, tree);
    return tree;
  }

  // overlayfs shows the upper folder's owner and mode for the root.
  static void copy_root_attributes(const fs::path& from, const fs::path& to) {
    struct stat status {};
    if (::stat(from.c_str(), &status) != 0) throw_errno("look up", from.native());
    if (::chown(to.c_str(), status.st_uid, status.st_gid) != 0 && errno != EINVAL)
      throw_errno("change the owner of", to.native());
    if (::chmod(to.c_str(), status.st_mode & 07777) != 0) throw_errno("change the mode of", to.native());
  }
};

}  // namespace

bool prepare_mount_source(const ContainerPlan& plan, const WorkerFolders& folders, std::size_t number) {
  const RunMount& mount = plan.mounts[number];
  return with_context([&] { return fmt::format("while preparing the mount at '{}'", mount.target); },
                      [&] {
                        return std::visit(SourceMaker{plan, folders, number}, mount.source);
                      });
}

}  // namespace kiln
