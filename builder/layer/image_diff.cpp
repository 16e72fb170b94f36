#include "builder/layer/image_diff.hpp"

#include <algorithm>
#include <map>

namespace kiln {

namespace {

using Found = MergedView::Found;
using Files = std::map<std::string, Found>;

Files files_of(const MergedView& view) {
  Files files;
  view.walk("", [&](const Found& found) {
    if (!found.path.empty()) files.emplace(found.path, found);
    return true;
  });
  return files;
}

// A hard link is the file behind it: which of its names came first in a tar is no difference.
const FileEntry& entry_behind(const MergedView& view, const Found& found) {
  if (found.entry->type != EntryType::hardlink) return *found.entry;
  const auto target = view.behind(found);
  return target ? *target->entry : *found.entry;
}

std::uint64_t bytes_of(const FileEntry& entry) { return entry.type == EntryType::file ? entry.size : 0; }

}  // namespace

std::vector<std::string> what_differs(const FileEntry& a, const FileEntry& b) {
  std::vector<std::string> what;
  if (a.type != b.type) what.push_back("type");
  if (a.content != b.content || a.size != b.size) what.push_back("content");
  if (a.link != b.link) what.push_back("link");
  if (a.mode != b.mode) what.push_back("mode");
  if (a.uid != b.uid || a.gid != b.gid) what.push_back("owner");
  if (a.device_major != b.device_major || a.device_minor != b.device_minor) what.push_back("device");
  if (a.xattrs != b.xattrs) what.push_back("xattrs");
  return what;
}

std::vector<FileDifference> differences(const MergedView& before, const MergedView& after) {
  using Kind = FileDifference::Kind;
  const Files old_files = files_of(before);
  const Files new_files = files_of(after);
  std::vector<FileDifference> found;
  for (const auto& [path, file] : old_files) {
    const FileEntry& old_entry = entry_behind(before, file);
    const auto other = new_files.find(path);
    if (other == new_files.end()) {
      found.push_back({Kind::removed, path, bytes_of(old_entry), 0, {}});
      continue;
    }
    const FileEntry& new_entry = entry_behind(after, other->second);
    auto what = what_differs(old_entry, new_entry);
    if (!what.empty())
      found.push_back({Kind::changed, path, bytes_of(old_entry), bytes_of(new_entry), std::move(what)});
  }
  for (const auto& [path, file] : new_files) {
    if (!old_files.count(path)) found.push_back({Kind::added, path, 0, bytes_of(entry_behind(after, file)), {}});
  }
  std::sort(found.begin(), found.end(),
            [](const FileDifference& a, const FileDifference& b) { return compare_paths(a.path, b.path) < 0; });
  return found;
}

}  // namespace kiln
