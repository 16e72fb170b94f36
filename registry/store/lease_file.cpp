#include "registry/store/lease_file.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <random>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

namespace {

constexpr char kGate[] = "leases";

fs::path new_lease_path(const HomeLayout& home) {
  std::random_device random;
  return home.leases() / fmt::format("{}-{:08x}{:08x}", ::getpid(), random(), random());
}

}  // namespace

bool may_lease(const HomeLayout& home) {
  return ::access(home.leases().c_str(), W_OK) == 0 || (errno != EROFS && errno != EACCES);
}

LeaseFile::LeaseFile(const HomeLayout& home) : gate_path(home.locks() / kGate), path(new_lease_path(home)) {
  if (!may_lease(home)) return;
  // A gc removes lease files that no process has locked: the gate keeps it away between creating and locking.
  const FileLock gate = FileLock::acquire(gate_path, LockMode::shared);
  lock = FileLock::acquire(path, LockMode::exclusive);
}

LeaseFile::~LeaseFile() {
  if (lock) ::unlink(path.c_str());
}

bool LeaseFile::add(const oci::Digest& digest) {
  const std::lock_guard guard(mutex);
  if (!lock || known.count(digest)) return false;
  const FileLock gate = FileLock::acquire(gate_path, LockMode::shared);
  const std::string line = digest.str() + "\n";
  pwrite_all(lock->fd(), line, size, path.native());
  size += line.size();
  known.insert(digest);
  return true;
}

FileLock close_leases(const HomeLayout& home) { return FileLock::acquire(home.locks() / kGate, LockMode::exclusive); }

std::set<oci::Digest> read_leases(const HomeLayout& home) {
  std::set<oci::Digest> leased;
  for (const std::string& name : list_directory(home.leases())) {
    const fs::path file = home.leases() / name;
    const auto text = read_file_if_exists(file);
    if (!text) continue;
    if (FileLock::try_acquire(file, LockMode::exclusive)) {
      ::unlink(file.c_str());
      continue;
    }
    for (const std::string_view line : split(*text, '\n')) {
      if (oci::Digest::is_valid(line)) leased.insert(oci::Digest::parse(line));
    }
  }
  return leased;
}

}  // namespace kiln
