#pragma once

#include <cstdint>
#include <vector>

#include "base/cancel.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "builder/debian/debian_spec.hpp"
#include "builder/debian/lock.hpp"

namespace kiln {

// What became of the packages that were asked for.
struct PackageFetch {
  std::uint64_t kept_bytes = 0;        // were in the store
  std::uint64_t cached_bytes = 0;      // taken from this machine's apt cache
  std::uint64_t downloaded_bytes = 0;  // came from the mirror
  // What neither the store nor the mirror has in the locked bytes: the mirror moved on. The caller resolves
  // anew and warns with describe_changes(), or fails where the lock must hold (--locked).
  std::vector<LockedPackage> unavailable;
};

// The .deb files that locks name, kept as DIRECTORY/HEX.deb ($KILN_HOME/debs) by their sha256. A file appears
// under its name only after its bytes were verified. Many processes may use one store at once.
class PackageStore {
 public:
  // Makes the folder where missing.
  explicit PackageStore(fs::path directory);

  const fs::path& directory() const noexcept { return directory_; }
  fs::path path_of(const LockedPackage& package) const;
  // Whether a file of the right size is there; cheap. verify() reads it.
  bool has(const LockedPackage& package) const;
  // Whether the file is there and holds the locked bytes. A damaged one is removed.
  bool verify(const LockedPackage& package) const;

  // Takes a .deb that came another way (the shared cache) into the store by copying it. False, and nothing
  // kept, where the file's size or sha256 is not the locked one.
  bool adopt(const LockedPackage& package, const fs::path& file) const;

  // Brings every package of the lock into the store: from this machine's apt cache, else from the archives by
  // apt's own client. A file of the store whose size is wrong is fetched again. Error{network} where a mirror
  // cannot be reached, {machine} for the disk.
  PackageFetch fetch(const DebianLock& lock, const DebianArchives& archives, const fs::path& work_dir, Log& log,
                     const CancelToken& cancel) const;

 private:
  fs::path directory_;
};

}  // namespace kiln
