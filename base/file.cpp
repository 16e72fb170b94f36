#include "base/file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/error.hpp"

namespace kiln {

namespace {

Fd open_checked(int dir, const char* path, int flags, unsigned mode, std::string_view operation) {
  int fd;
  do {
    fd = ::openat(dir, path, flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) throw_errno(operation, path);
  return Fd(fd);
}

// A descriptor of this process, as a shell's <(command) names it: who named it means what comes through it.
bool is_own_descriptor(const fs::path& path) {
  const fs::path folder = path.parent_path();
  return path == "/dev/stdin" || folder == "/dev/fd" || folder == "/proc/self/fd";
}

// A FIFO is opened without waiting for its other end, and then refused.
int reading_flags(const fs::path& path) { return O_RDONLY | (is_own_descriptor(path) ? 0 : O_NONBLOCK); }

void refuse_fifo(const Fd& fd, const fs::path& path) {
  struct stat info;
  if (::fstat(fd.get(), &info) != 0) throw_errno("stat", path.native());
  if (S_ISFIFO(info.st_mode) && !is_own_descriptor(path)) {
    throw Error(Category::machine, fmt::format("'{}' is a FIFO, expected a file", path.native()));
  }
}

// nullopt where it is larger.
std::optional<std::string> read_within(const Fd& fd, const fs::path& path, std::uint64_t max_bytes) {
  struct stat info;
  if (::fstat(fd.get(), &info) != 0) throw_errno("stat", path.native());
  std::string bytes;
  // A hint only: the file may grow, and one that is too large is refused below before its size is allocated.
  if (S_ISREG(info.st_mode)) bytes.reserve(std::min(static_cast<std::uint64_t>(info.st_size), max_bytes));
  char buffer[65536];
  while (const std::size_t got = read_some(fd, buffer, sizeof buffer, path.native())) {
    bytes.append(buffer, got);
    if (bytes.size() > max_bytes) return std::nullopt;
  }
  return bytes;
}

std::string read_to_end(const Fd& fd, const fs::path& path, std::uint64_t max_bytes) {
  auto bytes = read_within(fd, path, max_bytes);
  if (bytes) return std::move(*bytes);
  throw Error(Category::machine,
              fmt::format("file '{}' is larger than the {} bytes allowed for it", path.native(), max_bytes));
}

// No descriptor where there is no such file.
Fd open_if_there(const fs::path& path) {
  Fd fd(::open(path.c_str(), reading_flags(path) | O_CLOEXEC));
  if (!fd && errno != ENOENT && errno != ENOTDIR) throw_errno("open", path.native());
  if (fd) refuse_fifo(fd, path);
  return fd;
}

// Deeper folders are moved up before they are emptied: a hostile tree may be deeper than a process may have files open.
constexpr int kMostLevels = 64;

Fd open_to_empty(int parent, const char* name, const std::string& shown) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  Fd dir(::openat(parent, name, kFlags));
  if (!dir && errno == EACCES && ::fchmodat(parent, name, 0700, 0) == 0) dir = Fd(::openat(parent, name, kFlags));
  if (!dir) throw_errno("remove", shown);
  struct stat info;
  if (::fstat(dir.get(), &info) == 0 && (info.st_mode & 0700) != 0700) ::fchmod(dir.get(), 0700);
  return dir;
}

struct DeepFolders {
  int top = -1;  // the folder whose tree is removed
  std::vector<std::string> moved;
};

void remove_tree_at(int parent, const char* name, const std::string& shown, int level, DeepFolders& deep) {
  if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT) return;
  if (errno != EISDIR && errno != EPERM && errno != EACCES) throw_errno("remove", shown);
  if (level > kMostLevels) {
    const std::string moved = fmt::format(".kiln-deep-{}-{}", ::getpid(), deep.moved.size());
    if (::renameat(parent, name, deep.top, moved.c_str()) != 0) throw_errno("remove", shown);
    deep.moved.push_back(moved);
    return;
  }
  const Fd dir = open_to_empty(parent, name, shown);
  if (level == 0) deep.top = dir.get();
  for (const std::string& child : list_directory("/proc/self/fd/" + std::to_string(dir.get()))) {
    remove_tree_at(dir.get(), child.c_str(), shown + "/" + child, level + 1, deep);
  }
  if (level == 0) {
    for (std::size_t i = 0; i < deep.moved.size(); ++i) {
      const std::string moved = deep.moved[i];
      remove_tree_at(dir.get(), moved.c_str(), shown + "/" + moved, 1, deep);
    }
  }
  if (::unlinkat(parent, name, AT_REMOVEDIR) != 0 && errno != ENOENT) throw_errno("remove", shown);
}

}  // namespace

Fd open_read(const fs::path& path) {
  Fd fd = open_checked(AT_FDCWD, path.c_str(), reading_flags(path), 0, "open");
  refuse_fifo(fd, path);
  return fd;
}

Fd create_file(const fs::path& path, unsigned mode) {
  return open_checked(AT_FDCWD, path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, mode, "create");
}

Fd open_directory(const fs::path& path) {
  return open_checked(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY, 0, "open folder");
}

std::size_t read_some(const Fd& fd, void* buffer, std::size_t size, std::string_view name) {
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer, size);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) throw_errno("read", name);
  }
}

void write_all(const Fd& fd, std::string_view bytes, std::string_view name) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd.get(), bytes.data(), bytes.size());
    if (put < 0) {
      if (errno == EINTR) continue;
      throw_errno("write", name);
    }
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
}

void pwrite_all(const Fd& fd, std::string_view bytes, std::uint64_t offset, std::string_view name) {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0) {
      if (errno == EINTR) continue;
      throw_errno("write", name);
    }
    offset += static_cast<std::uint64_t>(put);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
}

std::string read_file(const fs::path& path, std::uint64_t max_bytes) {
  return read_to_end(open_read(path), path, max_bytes);
}

std::string read_named_file(const fs::path& path, std::uint64_t max_bytes) {
  try {
    return read_file(path, max_bytes);
  } catch (const Error& error) {
    throw Error(Category::usage, error.message());
  }
}

std::optional<std::string> read_file_if_exists(const fs::path& path, std::uint64_t max_bytes) {
  const Fd fd = open_if_there(path);
  return fd ? std::optional(read_to_end(fd, path, max_bytes)) : std::nullopt;
}

std::optional<std::string> read_note(const fs::path& path, std::uint64_t max_bytes) {
  const Fd fd = open_if_there(path);
  return fd ? read_within(fd, path, max_bytes) : std::nullopt;
}

void make_directories(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error && !fs::is_directory(path)) {
    errno = error.value();
    throw_errno("create folder", path.native());
  }
}

std::vector<std::string> list_directory(const fs::path& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    names.push_back(it->path().filename().native());
  }
  if (error) {
    errno = error.value();
    throw_errno("list folder", path.native());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void sync_directory(const fs::path& path) {
  const Fd dir = open_directory(path);
  if (::fsync(dir.get()) != 0) throw_errno("sync", path.native());
}

void remove_tree(const fs::path& path) {
  DeepFolders deep;
  remove_tree_at(AT_FDCWD, path.c_str(), path.native(), 0, deep);
}

}  // namespace kiln
