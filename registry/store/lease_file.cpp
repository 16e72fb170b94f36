#include "registry/store/lease_file.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <random>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

ContentStore::LeaseFile::LeaseFile(const HomeLayout& home) {
  // A gc removes lease files that nobody has locked. Holding the store's lock keeps it away between creating and locking.
  const FileLock store_lock = FileLock::acquire(home.locks() / "leases", LockMode::shared);
  path = home.leases() / fmt::format("{}-{:08x}", ::getpid(), std::random_device{}());
  lock = FileLock::acquire(path, LockMode::exclusive);
}

ContentStore::LeaseFile::~LeaseFile() { ::unlink(path.c_str()); }

void ContentStore::LeaseFile::add(const oci::Digest& digest) {
  const std::lock_guard guard(mutex);
  if (known.count(digest.str())) return;
  write_all(lock->fd(), digest.str() + "\n", path.native());
  known.insert(digest.str());
}

std::set<oci::Digest> read_leases(const HomeLayout& home) {
  const FileLock lock = FileLock::acquire(home.locks() / "leases", LockMode::exclusive);
  std::set<oci::Digest> leased;
  for (const auto& file : fs::directory_iterator(home.leases())) {
    const auto text = read_file_if_exists(file.path());
    if (!text) continue;
    const bool is_dead = FileLock::try_acquire(file.path(), LockMode::exclusive).has_value();
    if (is_dead) {
      ::unlink(file.path().c_str());
      continue;
    }
    for (const std::string_view line : split(*text, '\n')) {
      if (oci::Digest::is_valid(line)) leased.insert(oci::Digest::parse(line));
    }
  }
  return leased;
}

}  // namespace kiln
