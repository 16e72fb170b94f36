#include "builder/run/mount_placing.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/mount.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.hpp"
#include "base/paths.hpp"
#include "base/text.hpp"
#include "builder/run/mount_calls.hpp"
#include "builder/run/mount_stubs.hpp"
#include "builder/run/runtime_spec.hpp"

namespace kiln {

namespace {

Fd new_tmpfs(const TmpfsSource& source, mode_t mode) {
  const Fd made(static_cast<int>(::syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC)));
  const auto set = [&](const char* key, const std::string& value) {
    return ::syscall(SYS_fsconfig, made.get(), FSCONFIG_SET_STRING, key, value.c_str(), 0) == 0;
  };
  if (!made || !set("source", "tmpfs") || !set("mode", fmt::format("{:o}", mode)) ||
      (source.size_bytes != 0 && !set("size", std::to_string(source.size_bytes))) ||
      ::syscall(SYS_fsconfig, made.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    throw_errno("make", "a tmpfs");
  const unsigned flags = MOUNT_ATTR_NOSUID | (source.read_only ? MOUNT_ATTR_RDONLY : 0u);
  Fd mount(static_cast<int>(::syscall(SYS_fsmount, made.get(), FSMOUNT_CLOEXEC, flags)));
  if (!mount) throw_errno("mount", "a tmpfs");
  return mount;
}

struct stat status_of(const Fd& place, const std::string& target) {
  struct stat status {};
  if (::fstat(place.get(), &status) != 0) throw_errno("look up mount target", target);
  return status;
}

// As the kernel tells it, without links.
std::string path_of(const Fd& place) {
  std::string path(4096, '\0');
  const ssize_t length = ::readlink(fmt::format("/proc/self/fd/{}", place.get()).c_str(), path.data(), path.size());
  if (length < 0) throw_errno("look up", "a mount target");
  path.resize(static_cast<std::size_t>(length));
  return path;
}

}  // namespace

bool is_made_by_runtime(const std::string& target) {
  const std::string path = clean_path(target);
  return path.starts_with("/dev/") || path.starts_with("/sys/");
}

PlacedMounts::PlacedMounts(const fs::path& root) : root_fd_(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
  if (!root_fd_) throw_errno("open", root.native());
}

PlacedMounts::Target PlacedMounts::target_of(const std::string& target, bool is_file) const {
  const auto refuse = [&](const std::string& why) -> Error {
    return Error(Category::build, fmt::format("mount target '{}': {}", printable(target), why));
  };
  std::string path = ".";
  bool is_new = false;
  Fd place = open_in_root(root_fd_, path);
  const std::string clean = clean_path(target);
  const std::vector<std::string_view> names = split(clean, '/');
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) continue;
    const std::string name(names[i]);
    path += "/" + name;
    Fd next = open_in_root(root_fd_, path);
    if (!next && errno != ENOENT) throw refuse(errno_text(errno));
    is_new = !next;
    if (is_new) {
      const bool makes_file = is_file && i + 1 == names.size();
      if (makes_file) {
        const Fd made(::openat(place.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
        if (!made && errno != EEXIST)
          throw refuse(fmt::format("cannot create '{}' there: {}", name, errno_text(errno)));
      } else if (::mkdirat(place.get(), name.c_str(), 0755) != 0 && errno != EEXIST) {
        throw refuse(fmt::format("cannot create '{}' there: {}", name, errno_text(errno)));
      }
      next = Fd(::openat(place.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
      if (!next) throw refuse(errno_text(errno));
      if (S_ISLNK(status_of(next, target).st_mode))
        throw refuse(fmt::format("'{}' is a link in another mount, which leads to nothing", name));
    }
    place = std::move(next);
  }
  return {std::move(place), is_new};
}

void PlacedMounts::check_place(const Fd& place, const std::string& target) const {
  const std::string path = path_of(place);
  const std::string root = path_of(root_fd_) + "/";
  const std::string inside = path.starts_with(root) ? path.substr(root.size() - 1) : "/";
  const auto is_standard = [&](const std::string& standard) {
    return inside == standard || inside.starts_with(standard + "/");
  };
  const std::vector<std::string> standard = standard_mount_targets();
  if (inside != "/" && std::none_of(standard.begin(), standard.end(), is_standard)) return;
  throw Error(Category::build, fmt::format("mount target '{}' leads to '{}', the container's own place; choose another",
                                           printable(target), printable(inside)));
}

void PlacedMounts::place(const RunMount& mount, const fs::path& source, bool is_file) {
  const auto [target, is_new] = target_of(mount.target, is_file);
  check_place(target, mount.target);
  const struct stat status = status_of(target, mount.target);
  check_kind_of_target(mount.target, S_ISDIR(status.st_mode), is_file);
  const auto* tmpfs = std::get_if<TmpfsSource>(&mount.source);
  // On a folder that was not there everybody may write to it.
  const mode_t mode = is_new ? 01777 : status.st_mode & 07777;
  Fd made = tmpfs != nullptr ? new_tmpfs(*tmpfs, mode) : copy_mount(source);
  if (!made) throw_errno("copy the mount at", source.native());
  // Files lie on the worker's tmpfs; binds are read-only already where they are to be.
  if (std::holds_alternative<FileSource>(mount.source)) add_mount_flags(made, MOUNT_ATTR_RDONLY);
  if (::syscall(SYS_move_mount, made.get(), "", target.get(), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) !=
      0)
    throw_errno("mount at", mount.target);
  placed_.push_back(std::move(made));
}

void PlacedMounts::remove() noexcept {
  while (!placed_.empty()) {
    char name[64];
    *fmt::format_to_n(name, sizeof name - 1, "/proc/self/fd/{}", placed_.back().get()).out = '\0';
    ::umount2(name, MNT_DETACH);
    placed_.pop_back();
  }
  root_fd_.reset();
}

}  // namespace kiln
