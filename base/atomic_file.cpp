#include "base/atomic_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>

#include "base/error.hpp"

namespace kiln {

namespace {
std::atomic<unsigned> temporary_files_made{0};
}

AtomicFile::AtomicFile(fs::path target, unsigned mode) : target_(std::move(target)) {
  temporary_ = target_.parent_path() /
               fmt::format(".{}.{}.{}.tmp", target_.filename().native(), ::getpid(), temporary_files_made++);
  fd_ = create_file(temporary_, mode);
}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::string_view bytes) { write_all(fd_, bytes, target_.native()); }

void AtomicFile::commit(Durability durability) {
  if (durability == Durability::durable && ::fsync(fd_.get()) != 0) throw_errno("sync", target_.native());
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) throw_errno("publish", target_.native());
  temporary_.clear();
  fd_.reset();
  if (durability == Durability::durable) {
    const fs::path parent = target_.parent_path();
    sync_directory(parent.empty() ? fs::path(".") : parent);
  }
}

void write_file_atomically(const fs::path& path, std::string_view bytes, Durability durability, unsigned mode) {
  AtomicFile file(path, mode);
  file.write(bytes);
  file.commit(durability);
}

}  // namespace kiln
