#include "builder/run/cgroups.hpp"

#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <ctime>
#include <vector>

#include "base/file.hpp"

namespace kiln {

namespace {

constexpr std::time_t kStaleSeconds = 60;

bool is_type(const fs::path& path, long magic) {
  struct statfs info {};
  return ::statfs(path.c_str(), &info) == 0 && info.f_type == magic;
}

// The top folder of every hierarchy.
std::vector<fs::path> hierarchies() {
  if (is_type(kCgroupMounts, CGROUP2_SUPER_MAGIC)) return {kCgroupMounts};
  std::vector<fs::path> result;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(kCgroupMounts, error)) {
    if (entry.is_symlink(error)) continue;  // "cpu,cpuacct" has a name for each
    if (is_type(entry.path(), CGROUP_SUPER_MAGIC) || is_type(entry.path(), CGROUP2_SUPER_MAGIC))
      result.push_back(entry.path());
  }
  return result;
}

// Children first; rmdir refuses what holds a process.
void remove_group(const fs::path& group) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(group, error)) {
    if (entry.is_directory(error) && !entry.is_symlink(error)) remove_group(entry.path());
  }
  ::rmdir(group.c_str());
}

}  // namespace

bool can_make_cgroups() {
  const std::vector<fs::path> tops = hierarchies();
  for (const fs::path& top : tops) {
    if (::access(top.c_str(), W_OK) != 0) return false;
  }
  return !tops.empty();
}

void mount_missing_cgroups() {
  if (!hierarchies().empty()) return;
  // Root of a user namespace may mount it with a cgroup namespace of its own.
  if (::unshare(CLONE_NEWCGROUP) != 0) return;
  ::mount("cgroup2", kCgroupMounts, "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, nullptr);
}

void remove_cgroups(const std::string& id) {
  for (const fs::path& top : hierarchies()) remove_group(top / "kiln" / id);
}

void remove_stale_cgroups() {
  const std::time_t now = ::time(nullptr);
  for (const fs::path& top : hierarchies()) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(top / "kiln", error)) {
      struct stat status {};
      if (!entry.is_directory(error) || ::stat(entry.path().c_str(), &status) != 0) continue;
      if (now - status.st_mtime > kStaleSeconds) remove_group(entry.path());
    }
  }
}

std::string cgroup_version() {
  if (is_type(kCgroupMounts, CGROUP2_SUPER_MAGIC)) return "version 2";
  bool one = false;
  bool two = false;
  for (const fs::path& top : hierarchies()) {
    (is_type(top, CGROUP2_SUPER_MAGIC) ? two : one) = true;
  }
  if (one && two) return "hybrid";
  if (one) return "version 1";
  return "none";
}

}  // namespace kiln
