#pragma once

#include <mutex>
#include <optional>
#include <set>
#include <unordered_set>

#include "base/file_lock.hpp"
#include "registry/oci/digest.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

// The digests one process uses: leases/PID-RANDOM, one digest a line, flock'd for as long as the process lives. A line is
// in the file before add() returns, so a gc that sees the blob sees the lease too.
struct ContentStore::LeaseFile {
  explicit LeaseFile(const HomeLayout& home);
  ~LeaseFile();
  void add(const oci::Digest& digest);

  fs::path path;
  std::optional<FileLock> lock;
  std::mutex mutex;
  std::unordered_set<std::string> known;
};

// The digests that living processes hold; files of dead ones are removed. The caller holds the store's lock.
std::set<oci::Digest> read_leases(const HomeLayout& home);

}  // namespace kiln
