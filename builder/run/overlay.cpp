#include "builder/run/overlay.hpp"

#include <fmt/format.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.hpp"

namespace kiln {

namespace {

constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kMostLowers = 500;  // the kernel's OVL_MAX_STACK

// ':' divides lower folders, ',' options, and '\' escapes both.
std::string escaped(const fs::path& path) {
  std::string result;
  for (const char c : path.native()) {
    if (c == ':' || c == ',' || c == '\\') result += '\\';
    result += c;
  }
  return result;
}

std::string shown(const fs::path& path, const fs::path& base) {
  const std::string prefix = base.native() + "/";
  if (path.native().starts_with(prefix)) return escaped(path.native().substr(prefix.size()));
  return escaped(path);
}

std::string options_text(const OverlayMount& mount, const fs::path& base) {
  std::string options = "lowerdir=";
  for (std::size_t i = mount.lowers.size(); i-- > 0;) {
    options += shown(mount.lowers[i], base);
    if (i != 0) options += ':';
  }
  if (!mount.upper.empty()) {
    options += fmt::format(",upperdir={},workdir={},volatile", shown(mount.upper, base), shown(mount.work, base));
  }
  // "off" would still follow redirects that are there, which the kernel does not allow with userxattr.
  options += mount.user_xattrs ? ",redirect_dir=nofollow,metacopy=off,index=off,userxattr"
                               : ",redirect_dir=off,metacopy=off,index=off";
  return options;
}

bool fits(const OverlayMount& mount, const fs::path& base) {
  return mount.lowers.size() <= kMostLowers && options_text(mount, base).size() < kPageBytes;
}

// How many of the lowest folders have to become one for the rest to fit.
std::size_t count_to_fold(OverlayMount mount, const fs::path& base, const fs::path& folded) {
  std::size_t count = 1;
  while (mount.lowers.size() > 2 && !fits(mount, base)) {
    mount.lowers.erase(mount.lowers.begin());
    mount.lowers.front() = folded;
    ++count;
  }
  return count;
}

void mount_one(const OverlayMount& mount, const fs::path& base, const fs::path& target) {
  const std::string options = overlay_options(mount, base);
  if (::chdir(base.c_str()) != 0) throw_errno("enter", base.native());
  const unsigned long flags = mount.upper.empty() ? MS_RDONLY : 0;
  const int result = ::mount("overlay", target.c_str(), "overlay", flags, options.c_str());
  const int error = errno;
  if (::chdir("/") != 0) throw_errno("enter", "/");
  if (result != 0) {
    throw Error(Category::machine, fmt::format("cannot mount an overlay of {} folders: {}; run 'kiln doctor'",
                                               mount.lowers.size(), errno_text(error)));
  }
}

}  // namespace

std::string overlay_options(const OverlayMount& mount, const fs::path& base) {
  if (!fits(mount, base)) {
    throw Error(Category::machine,
                fmt::format("overlay of {} layers: its mount options take {} bytes, the kernel takes {}; move "
                            "KILN_HOME to a shorter path, or join steps of the stage",
                            mount.lowers.size(), options_text(mount, base).size(), kPageBytes - 1));
  }
  return options_text(mount, base);
}

void mount_overlay(const OverlayMount& mount, const fs::path& base, const fs::path& target) {
  if (fits(mount, base)) return mount_one(mount, base, target);
  fs::path folded = target;
  folded += ".folded";
  const std::size_t count = count_to_fold(mount, base, folded);
  OverlayMount bottom;
  bottom.lowers.assign(mount.lowers.begin(), mount.lowers.begin() + static_cast<std::ptrdiff_t>(count));
  bottom.user_xattrs = mount.user_xattrs;
  OverlayMount top = mount;
  top.lowers.erase(top.lowers.begin(), top.lowers.begin() + static_cast<std::ptrdiff_t>(count - 1));
  top.lowers.front() = folded;
  fs::create_directories(folded);
  mount_one(bottom, base, folded);
  try {
    mount_one(top, base, target);
  } catch (const Error&) {
    ::umount2(folded.c_str(), MNT_DETACH);
    throw;
  }
  // The mount on top holds it from here on.
  if (::umount2(folded.c_str(), MNT_DETACH) != 0) throw_errno("unmount", folded.native());
  ::rmdir(folded.c_str());
}

}  // namespace kiln
