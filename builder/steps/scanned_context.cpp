#include "builder/steps/scanned_context.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/steps/copy_source.hpp"

namespace kiln {

namespace {

void normalise(FileEntry& entry, ContextModes modes) {
  entry.uid = 0;
  entry.gid = 0;
  drop_user_attributes(entry);
  if (modes == ContextModes::as_on_disk) return;
  entry.xattrs.clear();
  if (entry.type == EntryType::directory) entry.mode = 0755;
  if (entry.type == EntryType::file) entry.mode = (entry.mode & 0100) ? 0755 : 0644;
}

}  // namespace

ScannedContext::ScannedContext(const ContextFolder& folder, const HashTools& tools) : folder_(folder) {
  ScanOptions options;
  options.xattrs = folder.modes == ContextModes::as_on_disk;
  options.is_living = true;
  options.sockets = ScanOptions::Sockets::as_empty_files;
  options.known = tools.stat_cache;
  if (!folder.ignore.empty()) {
    options.verdict = [&folder](std::string_view path, bool is_directory) {
      if (!folder.ignore.ignores(path)) return ScanVerdict::include;
      return is_directory && folder.ignore.may_reinclude_below(path) ? ScanVerdict::look_below : ScanVerdict::exclude;
    };
  }
  tree_ = scan_tree(folder.root, options, tools.pool, tools.cancel);
  for (FileEntry& entry : tree_.entries) normalise(entry, folder.modes);
}

void ScannedContext::forget_contents() {
  for (FileEntry& entry : tree_.entries) entry.content = {};
}

std::size_t ScannedContext::find(std::string_view path) const {
  const auto& entries = tree_.entries;
  // Most questions come in entry order.
  const std::size_t next = last_found_.load(std::memory_order_relaxed);
  for (std::size_t near = next; near < std::min(next + 2, entries.size()); ++near) {
    if (entries[near].path != path) continue;
    last_found_.store(near, std::memory_order_relaxed);
    return near;
  }
  const auto it = std::lower_bound(
      entries.begin(), entries.end(), path,
      [](const FileEntry& entry, std::string_view wanted) { return compare_paths(entry.path, wanted) < 0; });
  if (it == entries.end() || it->path != path) return kNone;
  const auto number = static_cast<std::size_t>(it - entries.begin());
  last_found_.store(number, std::memory_order_relaxed);
  return number;
}

void ScannedContext::refuse_below_unreadable(std::string_view path) const {
  for (const auto& [folder, error] : tree_.unreadable) {
    if (!is_within(path, folder)) continue;
    throw Error(Category::build, fmt::format("folder '/{}' of {} cannot be read: {}; keep it out by the ignore file",
                                             printable(folder), folder_.description, errno_text(error)));
  }
}

void ScannedContext::walk(std::string_view path, const std::function<bool(std::size_t)>& visit) const {
  const auto& entries = tree_.entries;
  std::size_t number = path.empty() ? 0 : find(path);
  if (number == kNone) return;
  while (number < entries.size() && is_within(entries[number].path, path)) {
    const FileEntry& entry = entries[number];
    const bool go_below = visit(number++);
    if (go_below || !entry.is_directory()) continue;
    while (number < entries.size() && is_within(entries[number].path, entry.path)) ++number;
  }
}

std::string ScannedContext::identity(std::string_view path) const {
  // A checkout has no hard links, whatever the folder it lies in has.
  const std::size_t number = folder_.modes == ContextModes::as_in_git ? kNone : find(path);
  if (number == kNone || !tree_.has_other_names[number]) return {};
  const FileStamp& stamp = tree_.stamps[number];
  return fmt::format("{}:{}", stamp.device, stamp.inode);
}

}  // namespace kiln
