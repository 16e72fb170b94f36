#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "base/clock.hpp"
#include "base/file_lock.hpp"
#include "registry/store/layout.hpp"

namespace kiln {

enum class CacheMountSharing {
  shared,    // any number of writers at once
  private_,  // a folder that no other RUN uses now; a new one where all are taken
  locked,    // one user at a time, the others wait
};

// A cache mount is known by its id and by who it belongs to: another owner or mode is another cache, since programs
// refuse caches that are not theirs (pip does).
struct CacheMountName {
  std::string id;
  unsigned mode = 0755;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  // What is written and said of the id where it holds the value of a secret; else empty.
  std::string masked_id = {};

  const std::string& shown_id() const noexcept { return masked_id.empty() ? id : masked_id; }
};

// A cache folder in use; it is not pruned meanwhile. Move-only.
class CacheMountLease {
 public:
  const fs::path& folder() const noexcept { return folder_; }

 private:
  friend class CacheMounts;
  CacheMountLease(fs::path folder, FileLock lock) : folder_(std::move(folder)), lock_(std::move(lock)) {}
  fs::path folder_;
  FileLock lock_;
};

struct CacheMountInfo {
  CacheMountName name;  // its id is the one that is shown
  fs::path folder;
  std::uint64_t bytes = 0;  // on disk
  UnixSeconds last_used = 0;
  bool in_use = false;
};

// A cache that a RUN uses. `fill` is called with the folder when it is new and has its owner and mode, before anybody
// else sees it; where it throws, the folder stays new.
struct WantedCacheMount {
  CacheMountName name;
  CacheMountSharing sharing = CacheMountSharing::shared;
  std::function<void(const fs::path&)> fill = {};
};

// The folders of RUN --mount=type=cache. Below cache-mounts/, version 1:
//
//   NAME-I/data   the contents; its mode and owner are the mount's
//   NAME-I/meta   "kiln cache mount 1\nmode OCTAL\nuid N\ngid N\nid TEXT\n"; its time is that of the last use
//
// TEXT is the id that is shown. NAME is the first 32 hex digits of sha256 of the meta text with the id itself, I counts
// from 0 (only private mounts go above). The lock of each is locks/cache-mount-NAME-I. Any thread, any number of
// processes.
class CacheMounts {
 public:
  explicit CacheMounts(HomeLayout home) : home_(std::move(home)) {}

  // Waits where `sharing` says so; Error{cancelled} where `cancel` fires meanwhile. `fill` as above.
  CacheMountLease acquire(const CacheMountName& name, CacheMountSharing sharing, const CancelToken& cancel,
                          const std::function<void(const fs::path&)>& fill = {});

  // All that one RUN uses, in the order of `wanted`. What is named more than once is taken once, as the first of these
  // says, since a RUN must not wait for itself. Locks are taken in the order of the caches' names, so that no two RUNs
  // wait for one another.
  std::vector<std::shared_ptr<const CacheMountLease>> acquire_all(const std::vector<WantedCacheMount>& wanted,
                                                                  const CancelToken& cancel);

  // The cache for oneself alone, without waiting; nullopt where it does not exist or somebody uses it.
  std::optional<CacheMountLease> try_lock(const CacheMountName& name) const;

  std::vector<CacheMountInfo> disk_usage() const;
  // Removes caches that are not in use and `keep` does not want; returns the bytes that were freed.
  std::uint64_t prune(const std::function<bool(const CacheMountInfo&)>& keep);

  static std::string folder_name(const CacheMountName& name);

 private:
  HomeLayout home_;
};

}  // namespace kiln
