#include "builder/run/overlay.hpp"

#include <fmt/format.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.hpp"

namespace kiln {

namespace {

constexpr std::size_t kPageBytes = 4096;

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

}  // namespace

std::string overlay_options(const OverlayMount& mount, const fs::path& base) {
  if (mount.lowers.size() > kMaxLayers + 1) {
    throw Error(Category::build,
                fmt::format("an image has {} layers, expected at most {}; join some RUN instructions or build "
                            "the first ones as an image of their own and COPY from it",
                            mount.lowers.size() - 1, kMaxLayers));
  }
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
  if (options.size() >= kPageBytes) {
    throw Error(Category::machine,
                fmt::format("overlay of {} layers: its mount options take {} bytes, the kernel takes {}; move "
                            "KILN_HOME to a shorter path",
                            mount.lowers.size(), options.size(), kPageBytes - 1));
  }
  return options;
}

void mount_overlay(const OverlayMount& mount, const fs::path& base, const fs::path& target) {
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

}  // namespace kiln
