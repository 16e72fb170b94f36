#include "builder/steps/link_resolution.hpp"

#include <fmt/format.h>

#include <deque>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {
constexpr int kMostLinks = 40;
}

std::string canonical_copy_path(std::string_view path) {
  std::vector<std::string_view> parts;
  for (const std::string_view part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
      continue;
    }
    parts.push_back(part);
  }
  return fmt::format("{}", fmt::join(parts, "/"));
}

std::string resolve_links(std::string_view path, LastLink last,
                          const std::function<std::optional<FileEntry>(std::string_view)>& lookup) {
  std::deque<std::string> rest;
  for (const std::string_view part : split(path, '/')) rest.emplace_back(part);
  std::string resolved;
  int links = 0;
  while (!rest.empty()) {
    const std::string part = std::move(rest.front());
    rest.pop_front();
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      resolved = std::string(parent_path(resolved));
      continue;
    }
    const std::string next = join_path(resolved, part);
    const auto entry = lookup(next);
    const bool is_last = rest.empty();
    if (!entry || (is_last && last == LastLink::keep)) {
      resolved = next;
      continue;
    }
    if (entry->type == EntryType::symlink) {
      if (++links > kMostLinks) {
        throw Error(Category::build,
                    fmt::format("'/{}': more than {} symbolic links on the way", printable(path), kMostLinks));
      }
      const auto parts = split(entry->link, '/');
      for (auto it = parts.rbegin(); it != parts.rend(); ++it) rest.emplace_front(*it);
      if (entry->link.starts_with('/')) resolved.clear();
      continue;
    }
    if (!is_last && !entry->is_directory()) {
      throw Error(Category::build,
                  fmt::format("'/{}' leads through '/{}', which is not a directory", printable(path), printable(next)));
    }
    resolved = next;
  }
  return resolved;
}

}  // namespace kiln
