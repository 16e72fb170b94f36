#include "builder/run/snapshot_check.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <mutex>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr std::size_t kEntriesAtOnce = 1024;

// What both the file and the index tell of a type.
bool is_of_type(const struct stat& info, EntryType type) {
  switch (type) {
    case EntryType::file:
    case EntryType::hardlink:
      return S_ISREG(info.st_mode) || S_ISLNK(info.st_mode);  // a hard link may name a symlink
    case EntryType::directory:
      return S_ISDIR(info.st_mode);
    case EntryType::symlink:
      return S_ISLNK(info.st_mode);
    case EntryType::fifo:
      return S_ISFIFO(info.st_mode);
    case EntryType::whiteout:
      return S_ISCHR(info.st_mode);
    default:
      return true;  // devices cannot be made everywhere; an opaque marker is an attribute of its folder
  }
}

std::string link_of(const Fd& folder, const FileEntry& entry) {
  std::array<char, PATH_MAX> target;
  const ssize_t length = ::readlinkat(folder.get(), entry.path.c_str(), target.data(), target.size());
  return length < 0 ? std::string() : std::string(target.data(), static_cast<std::size_t>(length));
}

// `info` is filled where the entry is there.
std::string difference(const Fd& folder, const FileEntry& entry, struct stat& info) {
  const auto shown = [&] { return printable(entry.path); };
  if (::fstatat(folder.get(), entry.path.c_str(), &info, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0) {
    const bool may_be_absent = entry.type == EntryType::char_device || entry.type == EntryType::block_device ||
                               entry.type == EntryType::whiteout;
    if (may_be_absent) return "";
    return errno == ENOENT || errno == ENOTDIR ? fmt::format("'/{}' is not there", shown()) : errno_text(errno);
  }
  if (!is_of_type(info, entry.type)) return fmt::format("'/{}' is of another type", shown());
  if (entry.type == EntryType::symlink) {
    const std::string target = link_of(folder, entry);
    if (target == entry.link) return "";
    return fmt::format("'/{}' leads to '{}', expected '{}'", shown(), printable(target), printable(entry.link));
  }
  if (entry.type != EntryType::directory && entry.type != EntryType::file) return "";
  if ((info.st_mode & 07777) != entry.mode)
    return fmt::format("'/{}' has mode {:o}, expected {:o}", shown(), info.st_mode & 07777, entry.mode);
  if (entry.type == EntryType::file && !entry.content.empty() && static_cast<std::uint64_t>(info.st_size) != entry.size)
    return fmt::format("'/{}' has {} bytes, expected {}", shown(), info.st_size, entry.size);
  return "";
}

bool is_later(const std::timespec& time, const std::timespec& than) {
  return time.tv_sec != than.tv_sec ? time.tv_sec > than.tv_sec : time.tv_nsec > than.tv_nsec;
}

std::string difference_or_change(const Fd& folder, const FileEntry& entry, const std::timespec& made) {
  struct stat info {};
  std::string found = difference(folder, entry, info);
  if (!found.empty() || (entry.type != EntryType::file && entry.type != EntryType::directory)) return found;
  if (info.st_mtim.tv_sec == entry.mtime || !is_later(info.st_mtim, made)) return "";
  return fmt::format("'/{}' was written after it was unpacked", printable(entry.path));
}

}  // namespace

std::string entry_difference(const Fd& folder, const FileEntry& entry) {
  struct stat info {};
  return difference(folder, entry, info);
}

std::string snapshot_difference(const fs::path& folder, const FileIndex& index, const std::timespec& made,
                                ThreadPool& pool, const CancelToken& cancel) {
  const Fd top = open_directory(folder);
  const auto& entries = index.entries();
  std::mutex mutex;
  std::size_t first_at = entries.size();
  std::string first;
  pool.parallel_for((entries.size() + kEntriesAtOnce - 1) / kEntriesAtOnce, [&](std::size_t part) {
    cancel.check();
    const std::size_t end = std::min(entries.size(), (part + 1) * kEntriesAtOnce);
    for (std::size_t i = part * kEntriesAtOnce; i != end; ++i) {
      std::string found = difference_or_change(top, entries[i], made);
      if (found.empty()) continue;
      const std::lock_guard lock(mutex);
      if (i >= first_at) return;
      first_at = i;
      first = std::move(found);
      return;
    }
  });
  return first;
}

}  // namespace kiln
