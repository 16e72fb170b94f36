#include "builder/run/disk_space.hpp"

#include <sys/stat.h>

#include <set>
#include <utility>

namespace kiln {

std::uint64_t disk_space(const fs::path& folder) {
  std::uint64_t bytes = 0;
  std::set<std::pair<dev_t, ino_t>> linked;
  const auto count = [&](const fs::path& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return;
    if (status.st_nlink > 1 && !S_ISDIR(status.st_mode) && !linked.emplace(status.st_dev, status.st_ino).second) return;
    bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
  };
  count(folder);
  std::error_code error;
  const auto options = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator it(folder, options, error), end; !error && it != end; it.increment(error))
    count(it->path());
  return bytes;
}

}  // namespace kiln
