#include "builder/layer/file_entry.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::size_t kMaxPathBytes = 4096;
constexpr std::size_t kMaxComponentBytes = 255;

// '/' sorts before every other byte, so that a folder's contents follow it at once.
int rank(char c) noexcept { return c == '/' ? -1 : static_cast<unsigned char>(c); }

}  // namespace

char to_letter(EntryType type) { return "fdlhcbpwo"[static_cast<std::size_t>(type)]; }

std::strong_ordering compare_paths(std::string_view a, std::string_view b) noexcept {
  const auto [in_a, in_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (in_a == a.end() || in_b == b.end()) return a.size() <=> b.size();
  return rank(*in_a) <=> rank(*in_b);
}

bool entry_before(const FileEntry& a, const FileEntry& b) noexcept {
  const auto order = compare_paths(a.path, b.path);
  if (order != 0) return order < 0;
  return a.type != EntryType::opaque && b.type == EntryType::opaque;
}

std::string canonical_entry_path(std::string_view name, std::string_view where) {
  const auto refuse = [&](std::string_view why) {
    throw Error(Category::build, fmt::format("{}: the name '{}' {}", where, printable(name.substr(0, 200)), why));
  };
  if (name.find('\0') != std::string_view::npos) refuse("holds a NUL byte");
  std::string path;
  path.reserve(name.size());
  for (const std::string_view component : split(name, '/')) {
    if (component.empty() || component == ".") continue;
    if (component == "..") refuse("leads out of its folder by '..'");
    if (component.size() > kMaxComponentBytes) refuse("has a component of more than 255 bytes");
    if (!path.empty()) path += '/';
    path += component;
  }
  if (path.size() > kMaxPathBytes) refuse("is longer than 4096 bytes");
  return path;
}

bool is_canonical_entry_path(std::string_view path) noexcept {
  if (path.empty()) return true;
  if (path.size() > kMaxPathBytes || path.find('\0') != std::string_view::npos) return false;
  for (;;) {
    const auto slash = path.find('/');
    const std::string_view component = path.substr(0, slash);
    if (component.empty() || component.size() > kMaxComponentBytes || component == "." || component == "..") return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

std::string_view parent_path(std::string_view path) noexcept {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view base_name(std::string_view path) noexcept {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string join_path(std::string_view folder, std::string_view name) {
  if (folder.empty()) return std::string(name);
  if (name.empty()) return std::string(folder);
  std::string path;
  path.reserve(folder.size() + 1 + name.size());
  path += folder;
  path += '/';
  path += name;
  return path;
}

bool is_within(std::string_view path, std::string_view folder) noexcept {
  if (folder.empty() || path == folder) return true;
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

}  // namespace kiln
