#include "builder/steps/settled_times.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.hpp"
#include "builder/layer/beneath.hpp"
#include "builder/packages/bytecode.hpp"

namespace kiln {

namespace {

bool is_regular(const FileEntry& entry) { return entry.type == EntryType::file || entry.type == EntryType::hardlink; }

const FileEntry* source_in(const ScannedTree& tree, const std::string& path) {
  const std::vector<FileEntry>& entries = tree.entries;
  const auto place = std::lower_bound(
      entries.begin(), entries.end(), path,
      [](const FileEntry& entry, const std::string& name) { return compare_paths(entry.path, name) < 0; });
  const bool is_there = place != entries.end() && place->path == path && is_regular(*place);
  return is_there ? &*place : nullptr;
}

void keep_bytecode_good(const Fd& root, const ScannedTree& tree, const FileEntry& entry, UnixSeconds to) {
  std::string source_path = source_of_bytecode(entry.path);
  if (source_path.empty()) source_path = entry.path.substr(0, entry.path.size() - 1);  // "x.pyc" beside "x.py"
  const FileEntry* source = source_in(tree, source_path);
  if (source == nullptr) return;
  const Fd file = open_beneath(root, entry.path, O_RDWR | O_NONBLOCK | O_NOCTTY);
  if (!file) throw_errno("open", entry.path);
  char header[kBytecodeHeaderBytes];
  const ssize_t got = ::pread(file.get(), header, sizeof header, 0);
  if (got < 0) throw_errno("read", entry.path);
  const auto time = bytecode_time_for({header, static_cast<std::size_t>(got)}, {source->mtime, source->size}, to);
  if (!time) return;
  const auto size = static_cast<ssize_t>(time->size());
  if (::pwrite(file.get(), time->data(), time->size(), kBytecodeTimeOffset) != size) throw_errno("write", entry.path);
}

}  // namespace

void settle_times(const fs::path& upper, ScannedTree& tree, UnixSeconds to, const CancelToken& cancel) {
  const Fd root = open_directory(upper);
  // All of them before any source has its new time.
  for (const FileEntry& entry : tree.entries) {
    if (entry.type == EntryType::file && entry.path.ends_with(".pyc")) keep_bytecode_good(root, tree, entry, to);
  }
  const timespec time{static_cast<time_t>(to), 0};
  const timespec times[] = {time, time};
  std::string open_parent;
  Fd parent = open_beneath(root, "", O_RDONLY | O_DIRECTORY);
  for (FileEntry& entry : tree.entries) {
    if (entry.type == EntryType::whiteout || entry.type == EntryType::opaque) continue;
    if (parent_path(entry.path) != open_parent) {
      cancel.check();
      open_parent = parent_path(entry.path);
      parent = open_beneath(root, open_parent, O_RDONLY | O_DIRECTORY);
    }
    const std::string name(base_name(entry.path));
    if (!parent || ::utimensat(parent.get(), name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
      throw_errno("set the time of", entry.path);
    entry.mtime = to;
  }
}

}  // namespace kiln
