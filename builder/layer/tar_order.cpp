#include "builder/layer/tar_order.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

bool is_mark(const FileEntry& entry) { return entry.type == EntryType::whiteout || entry.type == EntryType::opaque; }

// What the entries of one path, in tar order, amount to.
struct Group {
  std::size_t first = 0;
  std::size_t last = 0;        // one past
  std::size_t own = SIZE_MAX;  // the last that is no mark
  bool whiteout = false;
  bool opaque = false;
};

class Settler {
 public:
  Settler(std::vector<TarEntry> sorted, std::string_view name) : sorted_(std::move(sorted)), name_(name) {}

  std::vector<TarEntry> run() {
    drop_replaced();
    for (std::size_t i = 0; i < sorted_.size();) {
      const Group group = group_at(i);
      i = group.last;
      settle(group);
    }
    return std::move(settled_);
  }

 private:
  // Leaves out what lay below a path when something else than a folder took its place.
  void drop_replaced() {
    struct Cover {
      std::string path;
      std::size_t replaced_before;  // tar numbers
    };
    // One for each path, so no more than the path is deep, whatever a tar repeats.
    std::vector<Cover> covers;
    std::vector<TarEntry> kept;
    kept.reserve(sorted_.size());
    for (TarEntry& item : sorted_) {
      const FileEntry& entry = item.entry;
      while (!covers.empty() && !is_within(entry.path, covers.back().path)) covers.pop_back();
      const bool gone = std::any_of(covers.begin(), covers.end(), [&](const Cover& cover) {
        const bool below = entry.path != cover.path || entry.type == EntryType::opaque;
        return below && item.number < cover.replaced_before;
      });
      if (gone) continue;
      if (!entry.is_directory() && !is_mark(entry)) {
        if (covers.empty() || covers.back().path != entry.path) covers.push_back({entry.path, 0});
        covers.back().replaced_before = std::max(covers.back().replaced_before, item.number);
      }
      kept.push_back(std::move(item));
    }
    sorted_ = std::move(kept);
  }

  Group group_at(std::size_t first) const {
    Group group;
    group.first = group.last = first;
    for (; group.last < sorted_.size() && sorted_[group.last].entry.path == sorted_[first].entry.path; ++group.last) {
      const EntryType type = sorted_[group.last].entry.type;
      if (type == EntryType::whiteout) {
        group.whiteout = true;
      } else if (type == EntryType::opaque) {
        group.opaque = true;
      } else if (group.own == SIZE_MAX || sorted_[group.last].number > sorted_[group.own].number) {
        group.own = group.last;
      }
    }
    return group;
  }

  // Whether anything follows below the path. A mark counts: the folder that it lies in is made for it.
  bool has_contents(const Group& group) const {
    return group.last < sorted_.size() && is_within(sorted_[group.last].entry.path, sorted_[group.first].entry.path);
  }

  void settle(const Group& group) {
    const std::string path = sorted_[group.first].entry.path;
    if (!closed_.empty() && !is_within(path, closed_)) closed_.clear();
    const bool has_own = group.own != SIZE_MAX;
    const bool folder = has_own ? sorted_[group.own].entry.is_directory() : group.opaque || has_contents(group);
    if (!closed_.empty()) refuse_below(path, closed_);
    if (has_own && !folder && group.opaque) refuse_below(join_path(path, kOpaqueMarker), path);
    if (has_own) settled_.push_back(std::move(sorted_[group.own]));
    if (folder && (group.opaque || group.whiteout)) push_mark(path, EntryType::opaque);
    if (!has_own && !folder) push_mark(path, EntryType::whiteout);
    if (has_own && !folder) closed_ = path;
  }

  [[noreturn]] void refuse_below(std::string_view path, std::string_view file) const {
    throw Error(Category::build, fmt::format("'{}': '{}' lies below '{}', which is no folder", printable(name_),
                                             printable(path), printable(file)));
  }

  void push_mark(const std::string& path, EntryType type) {
    TarEntry mark;
    mark.entry.path = path;
    mark.entry.type = type;
    mark.number = SIZE_MAX;
    settled_.push_back(std::move(mark));
  }

  std::vector<TarEntry> sorted_;
  std::string_view name_;
  std::vector<TarEntry> settled_;
  std::string closed_;  // the last entry that is no folder
};

void detach_links(std::vector<TarEntry>& entries) {
  for (TarEntry& item : entries) {
    FileEntry& entry = item.entry;
    if (entry.type != EntryType::hardlink || entry.content.empty()) continue;
    const auto target = std::partition_point(entries.begin(), entries.end(), [&](const TarEntry& other) {
      return compare_paths(other.entry.path, entry.link) < 0;
    });
    const bool holds = target != entries.end() && target->entry.path == entry.link && target->number < item.number &&
                       target->entry.content == entry.content;
    if (holds) continue;
    entry.type = EntryType::file;
    entry.link.clear();
  }
}

}  // namespace

std::vector<TarEntry> settle_tar_entries(std::vector<FileEntry> entries, std::string_view name) {
  std::vector<TarEntry> sorted;
  sorted.reserve(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) sorted.push_back({std::move(entries[i]), i});
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const TarEntry& a, const TarEntry& b) { return entry_before(a.entry, b.entry); });
  std::vector<TarEntry> settled = Settler(std::move(sorted), name).run();
  detach_links(settled);
  return settled;
}

}  // namespace kiln
