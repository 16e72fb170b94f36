#include "builder/layer/file_entry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::size_t kMaxPathBytes = 4096;
constexpr std::size_t kMaxComponentBytes = 255;
constexpr std::size_t kMaxXattrBytes = 64 << 10;

// '/' sorts before every other byte, so that a folder's contents follow it at once.
int rank(char c) noexcept { return c == '/' ? -1 : static_cast<unsigned char>(c); }

}  // namespace

char to_letter(EntryType type) { return "fdlhcbpwo"[static_cast<std::size_t>(type)]; }

void check_entry(const FileEntry& entry, std::string_view where, Category category) {
  const auto refuse = [&](std::string_view why) {
    throw Error(category, fmt::format("{}: entry '{}' {}", where, printable(entry.path), why));
  };
  const EntryType type = entry.type;
  const bool is_marker = type == EntryType::whiteout || type == EntryType::opaque;
  const bool is_link = type == EntryType::symlink || type == EntryType::hardlink;
  const bool has_bytes = type == EntryType::file || type == EntryType::hardlink;
  const bool is_device = type == EntryType::char_device || type == EntryType::block_device;
  if (!is_canonical_entry_path(entry.path)) refuse("has no canonical path");
  if (entry.path.empty() && type != EntryType::directory && type != EntryType::opaque)
    refuse("is the root but no folder");
  if (entry.mode > 07777) refuse("has a mode of more than twelve bits");
  if (!has_bytes && (entry.size != 0 || !entry.content.empty())) refuse("has content, and its type has none");
  if (is_link == entry.link.empty())
    refuse(is_link ? "is a link to nothing" : "has a link target, and its type has none");
  if (entry.link.size() > kMaxPathBytes || entry.link.find('\0') != std::string::npos) refuse("has a bad link target");
  if (type == EntryType::hardlink && (!is_canonical_entry_path(entry.link) || entry.link == entry.path)) {
    refuse("is a hard link to what cannot be its file");
  }
  if (!is_device && (entry.device_major != 0 || entry.device_minor != 0)) refuse("has device numbers and is no device");
  if (is_marker && (entry.mode != 0 || entry.uid != 0 || entry.gid != 0 || entry.mtime != 0 || !entry.xattrs.empty())) {
    refuse("is a whiteout with properties of a file");
  }
  for (const auto& [name, value] : entry.xattrs) {
    if (name.empty() || name.size() > kMaxComponentBytes || name.find('\0') != std::string::npos ||
        value.size() > kMaxXattrBytes) {
      refuse("has a bad extended attribute");
    }
  }
}

std::strong_ordering compare_paths(std::string_view a, std::string_view b) noexcept {
  // Paths that are compared mostly begin alike: eight bytes at a time.
  const std::size_t shorter = std::min(a.size(), b.size());
  std::size_t at = 0;
  for (std::uint64_t from_a, from_b; at + sizeof from_a <= shorter; at += sizeof from_a) {
    std::memcpy(&from_a, a.data() + at, sizeof from_a);
    std::memcpy(&from_b, b.data() + at, sizeof from_b);
    if (from_a != from_b) break;
  }
  while (at < shorter && a[at] == b[at]) ++at;
  if (at == shorter) return a.size() <=> b.size();
  return rank(a[at]) <=> rank(b[at]);
}

bool entry_before(const FileEntry& a, const FileEntry& b) noexcept {
  const auto order = compare_paths(a.path, b.path);
  if (order != 0) return order < 0;
  return a.type != EntryType::opaque && b.type == EntryType::opaque;
}

std::string canonical_entry_path(std::string_view name, std::string_view where, AboveTop above) {
  const auto refuse = [&](std::string_view why) {
    throw Error(Category::build, fmt::format("{}: the name '{}' {}", where, printable(name.substr(0, 200)), why));
  };
  if (name.find('\0') != std::string_view::npos) refuse("holds a NUL byte");
  std::string path;
  path.reserve(name.size());
  for (const std::string_view component : split(name, '/')) {
    if (component.empty() || component == ".") continue;
    if (component == "..") {
      if (path.empty() && above == AboveTop::refuse) refuse("leads out of its folder by '..'");
      path.resize(parent_path(path).size());
      continue;
    }
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
    if (component.empty() || component.size() > kMaxComponentBytes || component == "." || component == "..")
      return false;
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
