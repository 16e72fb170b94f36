#include "base/atomic_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "base/error.hpp"

namespace kiln {

namespace {

std::atomic<unsigned> temporary_files_made{0};
constexpr int kMostNamesTried = 1000;

fs::path parent_of(const fs::path& target) {
  const fs::path parent = target.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

// To sync it, it has to be read; to make files in it not.
Fd open_parent(const fs::path& target) {
  const fs::path folder = parent_of(target);
  Fd opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened && errno == EACCES) opened = Fd(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!opened) throw_errno("create", target.native());
  return opened;
}

}  // namespace

AtomicFile::AtomicFile(const fs::path& target, unsigned mode) : AtomicFile(open_parent(target), target, mode) {}

AtomicFile::AtomicFile(Fd folder, fs::path target, unsigned mode)
    : folder_(std::move(folder)), target_(std::move(target)), name_(target_.filename().native()) {
  for (int tried = 0; !fd_ && tried < kMostNamesTried; ++tried) {
    temporary_ = fmt::format(".{}.{}.{}.tmp", name_, ::getpid(), temporary_files_made++);
    fd_ = Fd(::openat(folder_.get(), temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!fd_ && errno != EEXIST && errno != EINTR) break;
  }
  if (!fd_) throw_errno("create", (parent_of(target_) / temporary_).native());
}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlinkat(folder_.get(), temporary_.c_str(), 0);
}

void AtomicFile::write(std::string_view bytes) { write_all(fd_, bytes, target_.native()); }

void AtomicFile::commit(Durability durability) {
  if (durability == Durability::durable && ::fsync(fd_.get()) != 0) throw_errno("sync", target_.native());
  if (::renameat(folder_.get(), temporary_.c_str(), folder_.get(), name_.c_str()) != 0)
    throw_errno("publish", target_.native());
  temporary_.clear();
  fd_.reset();
  if (durability == Durability::durable && ::fsync(folder_.get()) != 0)
    throw_errno("sync", parent_of(target_).native());
}

void write_file_atomically(const fs::path& path, std::string_view bytes, Durability durability, unsigned mode) {
  AtomicFile file(path, mode);
  file.write(bytes);
  file.commit(durability);
}

}  // namespace kiln
