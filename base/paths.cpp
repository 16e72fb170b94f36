#include "base/paths.hpp"

#include <system_error>
#include <vector>

#include "base/text.hpp"

namespace kiln {

std::string clean_path(std::string_view path) {
  const bool is_rooted = path.starts_with('/');
  std::vector<std::string> parts;
  for (const std::string_view part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == ".." && !parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else if (part != ".." || !is_rooted) {
      parts.emplace_back(part);
    }
  }
  const std::string joined = join(parts, "/");
  return is_rooted ? "/" + joined : joined.empty() ? "." : joined;
}

bool is_inside(const fs::path& path, const fs::path& folder) {
  const fs::path relative = path.lexically_relative(folder);
  return !relative.empty() && *relative.begin() != "..";
}

bool leads_out(const fs::path& path, const fs::path& folder) {
  std::error_code failure;
  const fs::path real = fs::canonical(path, failure);
  return !failure && !is_inside(real, fs::canonical(folder));
}

bool is_open_descriptor(const fs::path& path) {
  return path.native().starts_with("/dev/fd/") || path.native().starts_with("/proc/self/fd/");
}

}  // namespace kiln
