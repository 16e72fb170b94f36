// A tree is listed level by level: the folders of one level in parallel, each by readdir and statx through its own
// descriptor. Within a folder names are sorted, so that putting the folders' lists together depth-first makes entry
// order without sorting whole paths.

#include "builder/layer/tree_scanner.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <deque>
#include <map>
#include <memory>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/layer/beneath.hpp"
#include "builder/layer/file_bytes.hpp"

namespace kiln {

namespace {

constexpr std::size_t kNoFolder = SIZE_MAX;
constexpr std::string_view kCapability = "security.capability";

struct CloseStream {
  void operator()(DIR* stream) const noexcept { ::closedir(stream); }
};

struct Child {
  FileEntry entry;
  FileStamp stamp;
  bool has_other_names = false;
  ScanVerdict verdict = ScanVerdict::include;
  std::size_t folder = kNoFolder;
};

struct Folder {
  std::string path;
  std::vector<Child> children;
  bool opaque = false;
  int unreadable = 0;  // the errno for it
  bool is_gone = false;
};

std::int64_t nanoseconds(const statx_timestamp& time) { return time.tv_sec * 1'000'000'000 + time.tv_nsec; }

FileStamp stamp_of(const struct statx& status) {
  FileStamp stamp;
  stamp.device = makedev(status.stx_dev_major, status.stx_dev_minor);
  stamp.inode = status.stx_ino;
  stamp.size = status.stx_size;
  stamp.mtime_ns = nanoseconds(status.stx_mtime);
  stamp.ctime_ns = nanoseconds(status.stx_ctime);
  return stamp;
}

// nullopt for a socket, which no layer can hold.
std::optional<EntryType> type_of(std::uint16_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return EntryType::file;
    case S_IFDIR:
      return EntryType::directory;
    case S_IFLNK:
      return EntryType::symlink;
    case S_IFCHR:
      return EntryType::char_device;
    case S_IFBLK:
      return EntryType::block_device;
    case S_IFIFO:
      return EntryType::fifo;
    default:
      return std::nullopt;
  }
}

[[noreturn]] void refuse_vanished(const std::string& shown) {
  throw Error(Category::build,
              fmt::format("'{}' vanished while its folder was being read; build again", printable(shown)));
}

class Scanner {
 public:
  Scanner(const fs::path& root, const ScanOptions& options, ThreadPool& pool, const CancelToken& cancel)
      : root_(root), root_fd_(open_directory(root)), options_(options), pool_(pool), cancel_(cancel) {}

  // For an overlay's upper folder.
  void set_upper(OverlayXattrs xattrs, const MergedView& lower) {
    lower_ = &lower;
    opaque_name_ = name_of_opaque_xattr(xattrs);
  }

  ScannedTree run() {
    folders_.emplace_back();
    std::vector<std::size_t> level{0};
    while (!level.empty()) {
      pool_.parallel_for(level.size(), [&](std::size_t i) { list(folders_[level[i]]); });
      refuse_lost_root();
      std::vector<std::size_t> next;
      for (const std::size_t number : level) {
        for (Child& child : folders_[number].children) {
          if (!child.entry.is_directory()) continue;
          child.folder = folders_.size();
          next.push_back(child.folder);
          folders_.emplace_back().path = child.entry.path;
        }
      }
      level = std::move(next);
    }
    put_folder(folders_.front());
    tree_.has_xattrs = options_.xattrs;
    return std::move(tree_);
  }

 private:
  // Without fs::path, whose operator/ takes as long as a stat.
  std::string shown(std::string_view path) const {
    const std::string& root = root_.native();
    return root.ends_with('/') ? root + std::string(path) : join_path(root, path);
  }

  void list(Folder& folder) {
    cancel_.check();
    Fd fd = open_beneath(root_fd_, folder.path, O_RDONLY | O_DIRECTORY);
    if (!fd) {
      if (is_missing(errno)) {
        folder.is_gone = options_.is_living;
        if (folder.is_gone) return;
        refuse_vanished(shown(folder.path));
      }
      if (close_off(folder, errno)) return;
      throw_errno("read folder", shown(folder.path));
    }
    if (opaque_name_ != nullptr) {
      char value = 0;
      folder.opaque = ::fgetxattr(fd.get(), opaque_name_, &value, 1) == 1 && value == 'y';
    }
    Fd listed(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
    const std::unique_ptr<DIR, CloseStream> stream(listed ? ::fdopendir(listed.get()) : nullptr);
    if (!stream) throw_errno("read folder", shown(folder.path));
    listed.release();
    for (;;) {
      errno = 0;
      const dirent* item = ::readdir(stream.get());
      if (item == nullptr) {
        if (errno != 0) throw_errno("read folder", shown(folder.path));
        break;
      }
      const std::string_view name = item->d_name;
      if (name == "." || name == "..") continue;
      if (!take(folder, fd, name)) return;
    }
    std::sort(folder.children.begin(), folder.children.end(),
              [](const Child& a, const Child& b) { return base_name(a.entry.path) < base_name(b.entry.path); });
  }

  // Without its root a tree is not merely smaller.
  void refuse_lost_root() const {
    if (folders_.front().is_gone) refuse_vanished(shown(""));
    if (const int error = folders_.front().unreadable) {
      throw Error(Category::build,
                  fmt::format("folder '{}' cannot be read: {}", printable(shown("")), errno_text(error)));
    }
  }

  static bool is_missing(int error) { return error == ENOENT || error == ENOTDIR || error == ELOOP; }

  // Of a folder that may not be read nothing is known, and most builds need nothing of it.
  bool close_off(Folder& folder, int error) const {
    if (!options_.is_living || (error != EACCES && error != EPERM && error != ENAMETOOLONG)) return false;
    folder.unreadable = error;
    folder.children.clear();
    return true;
  }

  // False where the folder turns out to be one that may not be read.
  bool take(Folder& folder, const Fd& fd, std::string_view name) {
    struct statx status;
    const std::string text(name);
    Child child;
    child.entry.path = join_path(folder.path, name);
    if (child.entry.path.size() >= PATH_MAX) {
      if (close_off(folder, ENAMETOOLONG)) return false;
      throw Error(Category::build, fmt::format("'/{}' is longer than {} bytes, which no program can open",
                                               printable(child.entry.path), PATH_MAX - 1));
    }
    if (::statx(fd.get(), text.c_str(), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &status) != 0) {
      if (errno == ENOENT && options_.is_living) return true;
      if (errno == ENOENT) refuse_vanished(shown(child.entry.path));
      if (close_off(folder, errno)) return false;
      throw_errno("stat", shown(child.entry.path));
    }
    auto type = type_of(status.stx_mode);
    if (!type && options_.sockets == ScanOptions::Sockets::as_empty_files) type = EntryType::file;
    if (!type) return true;
    FileEntry& entry = child.entry;
    entry.type = *type;
    if (options_.verdict) {
      child.verdict = options_.verdict(entry.path, entry.is_directory());
      const bool skip =
          child.verdict == ScanVerdict::exclude || (child.verdict == ScanVerdict::look_below && !entry.is_directory());
      if (skip) return true;
    }
    child.stamp = stamp_of(status);
    child.has_other_names = status.stx_nlink > 1 && !entry.is_directory();
    const bool is_whiteout = lower_ != nullptr && entry.type == EntryType::char_device && status.stx_rdev_major == 0 &&
                             status.stx_rdev_minor == 0;
    if (is_whiteout) {
      // Where the lower layers have nothing it hides nothing.
      if (!lower_->lookup(entry.path)) return true;
      entry.type = EntryType::whiteout;
      child.has_other_names = false;
      folder.children.push_back(std::move(child));
      return true;
    }
    entry.mode = status.stx_mode & 07777;
    entry.uid = status.stx_uid;
    entry.gid = status.stx_gid;
    entry.mtime = status.stx_mtime.tv_sec;
    if (entry.type == EntryType::file) entry.size = status.stx_size;
    if (entry.type == EntryType::symlink) {
      auto link = read_link(fd, text, status.stx_size);
      if (!link) return true;
      entry.link = std::move(*link);
    }
    if (entry.type == EntryType::char_device || entry.type == EntryType::block_device) {
      entry.device_major = status.stx_rdev_major;
      entry.device_minor = status.stx_rdev_minor;
    }
    bool may_have_xattrs = options_.xattrs;
    if (options_.known != nullptr && entry.type == EntryType::file && entry.size != 0) {
      if (auto known = options_.known->find(child.stamp)) {
        entry.content = std::move(known->content);
        may_have_xattrs = may_have_xattrs && !known->has_no_xattrs;
      }
    }
    // By its path, which costs a third of going through /proc: a folder that is swapped for a link meanwhile could only
    // lend its own file's attributes.
    if (may_have_xattrs) {
      std::string path = shown(entry.path);
      if (path.size() >= PATH_MAX) path = magic_path(fd, text);
      if (!read_xattrs(entry, path)) return true;
    }
    folder.children.push_back(std::move(child));
    return true;
  }

  // nullopt where it is gone.
  std::optional<std::string> read_link(const Fd& fd, const std::string& name, std::uint64_t size) const {
    std::string target(static_cast<std::size_t>(size) + 1, '\0');
    for (;;) {
      const ssize_t count = ::readlinkat(fd.get(), name.c_str(), target.data(), target.size());
      if (count < 0 && (errno == ENOENT || errno == EINVAL) && options_.is_living) return std::nullopt;
      if (count < 0) throw_errno("read link", name);
      if (static_cast<std::size_t>(count) < target.size()) {
        target.resize(static_cast<std::size_t>(count));
        return target;
      }
      target.resize(target.size() * 2);
    }
  }

  // False where it is gone.
  bool read_xattrs(FileEntry& entry, const std::string& path) const {
    char small[1024];
    std::string large;
    std::string_view names;
    ssize_t size = ::llistxattr(path.c_str(), small, sizeof small);
    if (size >= 0) {
      names = {small, static_cast<std::size_t>(size)};
    } else if (errno == ERANGE) {
      large.resize(64 << 10);
      size = ::llistxattr(path.c_str(), large.data(), large.size());
      if (size < 0) throw_errno("list attributes of", shown(entry.path));
      names = {large.data(), static_cast<std::size_t>(size)};
    } else if (is_missing(errno)) {
      if (options_.is_living) return false;
      refuse_vanished(shown(entry.path));
    } else if (errno == ENOTSUP) {
      return true;
    } else {
      throw_errno("list attributes of", shown(entry.path));
    }
    while (!names.empty()) {
      const std::string name(names.substr(0, names.find('\0')));
      names.remove_prefix(std::min(names.size(), name.size() + 1));
      const bool wanted = name == kCapability || (name.starts_with("user.") && !name.starts_with("user.overlay."));
      if (!wanted) continue;
      std::string value(64 << 10, '\0');
      const ssize_t count = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
      if (count < 0 && errno == ENODATA) continue;
      // An attribute that the owner alone may read is not for an image.
      if (count < 0 && (errno == EACCES || errno == EPERM) && options_.is_living) continue;
      if (count < 0 && is_missing(errno) && options_.is_living) return false;
      if (count < 0) throw_errno("read an attribute of", shown(entry.path));
      value.resize(static_cast<std::size_t>(count));
      entry.xattrs.emplace(name, std::move(value));
    }
    return true;
  }

  void put(FileEntry entry, const FileStamp& stamp, bool has_other_names) {
    tree_.entries.push_back(std::move(entry));
    tree_.stamps.push_back(stamp);
    tree_.has_other_names.push_back(has_other_names);
  }

  void put_folder(Folder& folder) {
    if (folder.opaque && lower_ != nullptr && !lower_->list(folder.path).empty()) {
      FileEntry marker;
      marker.path = folder.path;
      marker.type = EntryType::opaque;
      put(std::move(marker), {}, false);
    }
    for (Child& child : folder.children) {
      if (child.folder != kNoFolder && folders_[child.folder].is_gone) continue;
      const std::size_t before = tree_.entries.size();
      if (child.folder != kNoFolder && folders_[child.folder].unreadable != 0)
        tree_.unreadable.push_back({child.entry.path, folders_[child.folder].unreadable});
      if (lower_ != nullptr && child.has_other_names) make_link(child);
      put(std::move(child.entry), child.stamp, child.has_other_names);
      if (child.folder == kNoFolder) continue;
      put_folder(folders_[child.folder]);
      const bool nothing_below = tree_.entries.size() == before + 1;
      if (child.verdict == ScanVerdict::look_below && nothing_below) {
        tree_.entries.pop_back();
        tree_.stamps.pop_back();
        tree_.has_other_names.pop_back();
      }
    }
    folder.children = {};
  }

  // The first name of an inode in entry order is the file, later ones are links to it.
  void make_link(Child& child) {
    FileEntry& entry = child.entry;
    const auto [first, is_new] = first_names_.try_emplace({child.stamp.device, child.stamp.inode}, entry.path);
    if (is_new || entry.type != EntryType::file) return;
    entry.type = EntryType::hardlink;
    entry.link = first->second;
  }

  const fs::path& root_;
  Fd root_fd_;
  const ScanOptions& options_;
  ThreadPool& pool_;
  const CancelToken& cancel_;
  const MergedView* lower_ = nullptr;
  const char* opaque_name_ = nullptr;
  std::deque<Folder> folders_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> first_names_;
  ScannedTree tree_;
};

}  // namespace

ScannedTree scan_tree(const fs::path& root, const ScanOptions& options, ThreadPool& pool, const CancelToken& cancel) {
  return Scanner(root, options, pool, cancel).run();
}

ScannedTree scan_upper(const fs::path& upper, OverlayXattrs xattrs, const MergedView& lower, ThreadPool& pool,
                       const CancelToken& cancel) {
  const ScanOptions options;
  Scanner scanner(upper, options, pool, cancel);
  scanner.set_upper(xattrs, lower);
  ScannedTree tree = scanner.run();
  FileBytes bytes(FileUse::written);
  for (const FileEntry& entry : tree.entries) {
    if (entry.type == EntryType::file) bytes.add(entry.path, entry.size);
  }
  return tree;
}

Fd open_scanned(const Fd& root, const std::string& path) {
  // O_NONBLOCK: a pipe that took the file's place must not hold us up.
  Fd file = open_beneath(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!file) {
    if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) refuse_vanished(path);
    throw_errno("open", path);
  }
  return file;
}

FileStamp stamp_of(const struct ::stat& status) {
  const auto nanoseconds = [](const timespec& time) {
    return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
  };
  FileStamp stamp;
  stamp.device = status.st_dev;
  stamp.inode = status.st_ino;
  stamp.size = static_cast<std::uint64_t>(status.st_size);
  stamp.mtime_ns = nanoseconds(status.st_mtim);
  stamp.ctime_ns = nanoseconds(status.st_ctim);
  return stamp;
}

std::optional<FileStamp> stamp_of_file(const Fd& file, const std::string& shown) {
  struct ::stat status;
  if (::fstat(file.get(), &status) != 0) throw_errno("stat", shown);
  return S_ISREG(status.st_mode) ? std::optional(stamp_of(status)) : std::nullopt;
}

}  // namespace kiln
