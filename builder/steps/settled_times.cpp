#include "builder/steps/settled_times.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "builder/layer/beneath.hpp"
#include "builder/layer/byte_source.hpp"
#include "builder/layer/tree_scanner.hpp"
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

// Larger sources are not read: their bytecode stays as it is.
constexpr std::uint64_t kMostSourceBytes = std::uint64_t{16} << 20;

// Python's bytecode in a tree and the sources it was made of.
class Bytecode {
 public:
  Bytecode(const Fd& root, const ScannedTree& tree, const SettledTimes& to) : root_(root), tree_(tree), to_(to) {}

  // What fits its source fits it again once that has its new time; what does not, does not.
  void settle(const FileEntry& entry) {
    const FileEntry* source = source_of(entry);
    if (source == nullptr) return;
    const std::string header = header_of(entry);
    const BytecodeCheck check = bytecode_check(header);
    if (check == BytecodeCheck::none || (check == BytecodeCheck::hash && !to_.sources)) return;
    const bool fits = check == BytecodeCheck::time
                          ? bytecode_fits(header, {source->mtime, source->size})
                          : source->size <= kMostSourceBytes && bytecode_fits(header, read_source(*source));
    const SourceStamp settled{to_.sources.value_or(to_.all), source->size};
    if (fits) {
      write(entry, stamp_by_time(settled));
      fitting_.insert(file_of(*source));
    } else if (bytecode_fits(header, settled) || bytecode_fits(header, SourceStamp{to_.all, source->size})) {
      write(entry, stamp_by_time({kNoSource, source->size}));
    }
  }

  UnixSeconds time_of(const FileEntry& entry) const {
    return to_.sources && fitting_.contains(file_of(entry)) ? *to_.sources : to_.all;
  }

 private:
  // A time that no source of a cut layer has: the last that four bytes hold.
  static constexpr UnixSeconds kNoSource = 0xffffffff;

  static const std::string& file_of(const FileEntry& entry) {
    return entry.type == EntryType::hardlink ? entry.link : entry.path;
  }

  const FileEntry* source_of(const FileEntry& entry) const {
    std::string path = source_of_bytecode(entry.path);
    if (path.empty()) path = entry.path.substr(0, entry.path.size() - 1);  // "x.pyc" beside "x.py"
    return source_in(tree_, path);
  }

  std::string header_of(const FileEntry& entry) const {
    const Fd file = open(entry, O_RDONLY);
    std::string header(kBytecodeHeaderBytes, '\0');
    const ssize_t got = ::pread(file.get(), header.data(), header.size(), 0);
    if (got < 0) throw_errno("read", entry.path);
    header.resize(static_cast<std::size_t>(got));
    return header;
  }

  std::string read_source(const FileEntry& source) const {
    const Fd file = open(source, O_RDONLY);
    FdSource bytes(file, source.path);
    return read_to_end(bytes, kMostSourceBytes, "'/" + source.path + "'");
  }

  void write(const FileEntry& entry, const BytecodeStamp& stamp) const {
    const Fd file = open(entry, O_WRONLY);
    const auto size = static_cast<ssize_t>(stamp.size());
    if (::pwrite(file.get(), stamp.data(), stamp.size(), kBytecodeStampOffset) != size)
      throw_errno("write", entry.path);
  }

  Fd open(const FileEntry& entry, int flags) const {
    Fd file = open_beneath(root_, entry.path, flags | O_NONBLOCK | O_NOCTTY);
    if (!file) throw_errno("open", entry.path);
    return file;
  }

  const Fd& root_;
  const ScannedTree& tree_;
  const SettledTimes& to_;
  std::set<std::string> fitting_;  // files of sources that bytecode was made of
};

}  // namespace

void settle_times(const fs::path& upper, ScannedTree& tree, const SettledTimes& to, const CancelToken& cancel) {
  const Fd root = open_directory(upper);
  Bytecode bytecode(root, tree, to);
  // All of it before any source has its new time.
  for (const FileEntry& entry : tree.entries) {
    if (entry.type == EntryType::file && entry.path.ends_with(".pyc")) bytecode.settle(entry);
  }
  std::string open_parent;
  Fd parent = open_beneath(root, "", O_RDONLY | O_DIRECTORY);
  for (FileEntry& entry : tree.entries) {
    if (entry.type == EntryType::whiteout || entry.type == EntryType::opaque) continue;
    entry.mtime = bytecode.time_of(entry);
    if (parent_path(entry.path) != open_parent) {
      cancel.check();
      open_parent = parent_path(entry.path);
      parent = open_beneath(root, open_parent, O_RDONLY | O_DIRECTORY);
    }
    const std::string name(base_name(entry.path));
    const timespec time{static_cast<time_t>(entry.mtime), 0};
    const timespec times[] = {time, time};
    if (!parent || ::utimensat(parent.get(), name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
      throw_errno("set the time of", entry.path);
  }
}

}  // namespace kiln
