#include "builder/run/mount_stubs.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cerrno>
#include <string_view>

#include "base/error.hpp"
#include "base/path_steps.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

// Opens a path below `root` without following any link in it.
Fd open_below(const Fd& root, const std::vector<std::string>& components) {
  Fd current(::fcntl(root.get(), F_DUPFD_CLOEXEC, 0));
  for (const std::string& component : components) {
    current = Fd(::openat(current.get(), component.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!current) return current;
  }
  return current;
}

struct Resolved {
  std::vector<std::string> components;  // without links
  std::size_t existing = 0;             // how many of them are there
  mode_t type = S_IFDIR;                // of the last one that is
};

// The text of the link that `link` is a descriptor of.
std::string text_of_link(const Fd& link, const std::string& target) {
  std::string text(4096, '\0');
  const ssize_t length = ::readlinkat(link.get(), "", text.data(), text.size());
  if (length < 0) throw_errno("read the link at mount target", target);
  text.resize(static_cast<std::size_t>(length));
  return text;
}

Resolved resolve(const Fd& root, const std::string& target) {
  PathSteps steps(target);
  std::size_t existing = 0;
  mode_t type = S_IFDIR;
  while (auto name = steps.next()) {
    if (existing > steps.reached().size()) {  // ".." was among the components
      existing = steps.reached().size();
      type = S_IFDIR;
    }
    if (existing < steps.reached().size()) {
      steps.enter(std::move(*name));
      continue;
    }
    if (!S_ISDIR(type)) {
      throw Error(Category::build,
                  fmt::format("mount target '{}': '/{}' is no folder", target, join(steps.reached(), "/")));
    }
    auto path = steps.reached();
    path.push_back(*name);
    const Fd found = open_below(root, path);
    if (!found) {
      if (errno != ENOENT) throw_errno("look up mount target", target);
      steps.enter(std::move(*name));
      continue;
    }
    struct stat status {};
    if (::fstat(found.get(), &status) != 0) throw_errno("look up mount target", target);
    if (!S_ISLNK(status.st_mode)) {
      steps.enter(std::move(*name));
      existing = steps.reached().size();
      type = status.st_mode & S_IFMT;
    } else if (steps.follow(text_of_link(found, target))) {
      existing = steps.reached().size();
    } else {
      throw Error(Category::build, fmt::format("mount target '{}': too many symbolic links", target));
    }
  }
  if (existing > steps.reached().size()) {
    existing = steps.reached().size();
    type = S_IFDIR;
  }
  return {steps.reached(), existing, type};
}

// The access lists of a folder; only these may stand on a tmpfs too, and overlay shows the uppermost folder's.
void copy_access_lists(const fs::path& from, const fs::path& to) {
  for (const char* name : {"system.posix_acl_access", "system.posix_acl_default"}) {
    char value[65536];
    const ssize_t size = ::lgetxattr(from.c_str(), name, value, sizeof value);
    if (size > 0 && ::lsetxattr(to.c_str(), name, value, static_cast<std::size_t>(size), 0) != 0) {
      throw_errno("copy the access list of", from.native());
    }
  }
}

void repeat_attributes(const fs::path& from, const fs::path& to) {
  struct stat status {};
  if (::lstat(from.c_str(), &status) != 0) throw_errno("look up", from.native());
  if (::lchown(to.c_str(), status.st_uid, status.st_gid) != 0) throw_errno("change the owner of", to.native());
  if (::chmod(to.c_str(), status.st_mode & 07777) != 0) throw_errno("change the mode of", to.native());
  copy_access_lists(from, to);
  const timespec times[2] = {status.st_atim, status.st_mtim};
  if (::utimensat(AT_FDCWD, to.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) throw_errno("set the times of", to.native());
}

bool begins_with(const std::vector<std::string>& path, const std::vector<std::string>& prefix) {
  return path.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), path.begin());
}

}  // namespace

void check_kind_of_target(const std::string& target, bool is_folder, bool shows_file) {
  if (is_folder != shows_file) return;
  throw Error(Category::build,
              fmt::format("mount target '{}' is {} in the image, and the mount's source is {}", printable(target),
                          is_folder ? "a folder" : "no folder", shows_file ? "a file" : "a folder"));
}

void make_mount_stubs(const fs::path& root, const fs::path& stubs, const std::vector<MountPoint>& points) {
  const Fd root_fd = open_directory(root);
  std::vector<std::vector<std::string>> mounted;
  std::vector<std::pair<fs::path, fs::path>> repeated;  // from, to; parents before what they hold
  repeated.emplace_back(root, stubs);
  for (const MountPoint& point : points) {
    const Resolved target = resolve(root_fd, point.target);
    if (point.is_standard && "/" + join(target.components, "/") != point.target) {
      throw Error(Category::build,
                  fmt::format("'{}' is a symbolic link in the image, which the container runtime could follow out of "
                              "it; make it a folder in the base image or the stage",
                              point.target));
    }
    const std::string place = "/" + join(target.components, "/");
    // The runtime itself reads and writes /dev/null, once the mounts are there.
    if (!point.is_standard && (place == "/proc" || place == "/dev" || place == "/dev/null")) {
      throw Error(Category::build, fmt::format("mount target '{}' is {}'s place in every container; choose another",
                                               point.target, place));
    }
    // No runtime mounts below it: what a process finds there is to be the kernel's.
    if (!point.is_standard && place.starts_with("/proc/")) {
      throw Error(Category::build,
                  fmt::format("mount target '{}' is below /proc, which is the kernel's; choose another", point.target));
    }
    if (target.components.empty()) {
      throw Error(Category::build, fmt::format("mount target '{}' is the root folder", point.target));
    }
    bool inside = false;
    for (const auto& earlier : mounted) inside = inside || begins_with(target.components, earlier);
    mounted.push_back(target.components);
    if (inside) continue;
    if (target.existing == target.components.size()) {
      check_kind_of_target(point.target, S_ISDIR(target.type), point.is_file);
      continue;
    }
    fs::path here = stubs;
    fs::path there = root;
    for (std::size_t i = 0; i < target.components.size(); ++i) {
      here /= target.components[i];
      there /= target.components[i];
      const bool is_last = i + 1 == target.components.size();
      if (is_last && point.is_file) {
        create_file(here, 0644);
        break;
      }
      if (::mkdir(here.c_str(), 0755) != 0) {
        if (errno == EEXIST) continue;
        throw_errno("create", here.native());
      }
      if (is_last && ::chmod(here.c_str(), point.folder_mode) != 0) throw_errno("set the mode of", here.native());
      if (i < target.existing) repeated.emplace_back(there, here);
    }
  }
  for (std::size_t i = repeated.size(); i-- > 0;) repeat_attributes(repeated[i].first, repeated[i].second);
}

void check_user_files(const fs::path& root) {
  const Fd root_fd = open_directory(root);
  for (const char* name : {"/etc/passwd", "/etc/group"}) {
    Resolved found;
    try {
      found = resolve(root_fd, name);
    } catch (const Error& error) {
      if (error.category() != Category::build) throw;
      continue;  // a loop or a way through a file: the runtime finds nothing either
    }
    const std::string top = found.components.empty() ? "" : found.components.front();
    if (top == "proc" || top == "dev" || top == "sys") {
      throw Error(Category::build, fmt::format("'{}' of the image leads to '/{}', where the container runtime, which "
                                               "reads it, mounts something else; make it a file",
                                               name, printable(join(found.components, "/"))));
    }
    if (found.existing < found.components.size() || S_ISREG(found.type) || S_ISDIR(found.type)) continue;
    throw Error(Category::build, fmt::format("'{}' of the image is {}, expected a file: the container runtime reads it "
                                             "before it starts a command",
                                             name, S_ISFIFO(found.type) ? "a FIFO" : "a device"));
  }
}

void check_working_folder(const fs::path& root, const std::string& folder) {
  Resolved found;
  try {
    found = resolve(open_directory(root), folder);
  } catch (const Error& error) {
    if (error.category() != Category::build) throw;
    return;  // a loop or a way through a file: the runtime says so
  }
  const bool is_in_proc = !found.components.empty() && found.components.front() == "proc";
  if (!is_in_proc && !begins_with(found.components, {"dev", "fd"})) return;
  throw Error(
      Category::build,
      fmt::format(
          "working folder '{}' is '/{}', the kernel's list of open files and processes, which could lead out of the "
          "container; choose another by WORKDIR",
          printable(folder), printable(join(found.components, "/"))));
}

}  // namespace kiln
