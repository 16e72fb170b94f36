#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <unordered_set>

#include "base/file_lock.hpp"
#include "registry/oci/digest.hpp"
#include "registry/store/layout.hpp"

namespace kiln {

// The digests one process uses: leases/PID-RANDOM, one digest a line, flock'd for as long as the process lives.
//
// locks/leases is held shared while a line is written, and exclusively by a gc from the moment it reads the leases
// until it has removed what no lease holds. So after add() a blob is either gone, and has() says so, or it stays.
//
// In a store that this process may not write to (a read-only mount, another user's) there is no file: its images can be
// looked at, and are kept by nothing.
struct LeaseFile {
  explicit LeaseFile(const HomeLayout& home);
  ~LeaseFile();
  // False where it was held already.
  bool add(const oci::Digest& digest);

  fs::path gate_path;  // locks/leases
  fs::path path;
  std::optional<FileLock> lock;
  std::mutex mutex;
  std::uint64_t size = 0;  // bytes of whole lines; a line that could not be written whole is written over
  std::unordered_set<oci::Digest> known;
};

// False for a store that this process may not write to.
bool may_lease(const HomeLayout& home);

// Keeps leases from being added as long as it lives.
FileLock close_leases(const HomeLayout& home);

// The digests that living processes hold; files of dead ones are removed. The caller holds close_leases().
std::set<oci::Digest> read_leases(const HomeLayout& home);

}  // namespace kiln
