#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "base/cancel.hpp"
#include "base/log.hpp"
#include "base/thread_pool.hpp"
#include "builder/cache/shared_cache.hpp"
#include "builder/run/cache_mounts.hpp"

namespace kiln {

// No more than this of one cache mount is shared.
inline constexpr std::uint64_t kMostSharedMountBytes = std::uint64_t{32} << 30;

// Carries the contents of RUN --mount=type=cache through the shared cache, for machines that build nothing twice.
//
// A mount's contents are a tar in the entry order of layers (whole seconds, owners, modes, xattrs; sockets, devices and
// names that a layer would take for whiteouts are left out), cut by content (cache/chunker.hpp). The entry
// (kMountEntryType) under the mount's key holds the chunk list, its blobs are the chunks. A mount is restored when its
// folder is new on a machine, and saved after a build that used it, where it changed; of two machines that save at once
// the later one stays, whole: entries are replaced in one piece, and chunks never change. A save and a restore hold a
// few chunks in memory, and need twice the mount's bytes on the disk while they run; where there is less, they are left
// out.
//
// Nothing here fails a build: what cannot be had, is damaged or too large is said, and the mount begins empty or is not
// saved. Error{cancelled} alone leaves. Any thread; save() from none of the pool's.
class SharedMounts {
 public:
  // Borrowed.
  struct Tools {
    ThreadPool& pool;
    Log& log;
    CancelToken cancel;
  };
  // Borrows the cache. A mount of more than `most_bytes` is neither restored nor saved.
  SharedMounts(HomeLayout home, SharedCache& cache, Tools tools, std::uint64_t most_bytes = kMostSharedMountBytes);

  // Fills a new, empty folder. False where there is nothing to fill it with: then it is still empty. `step` is what
  // needs it.
  bool restore(const CacheMountName& name, const fs::path& folder, std::string_view step);
  // A command that used it ended well: it is to be saved.
  void used(const CacheMountName& name);
  // Saves what was used. A mount that another kiln is writing to now is left to that one.
  void save(CacheMounts& mounts);

  static std::string key_of(const CacheMountName& name);

 private:
  void save_one(const CacheMountName& name, CacheMounts& mounts);

  HomeLayout home_;
  SharedCache& cache_;
  ThreadPool& pool_;
  Log& log_;
  CancelToken cancel_;
  std::uint64_t most_bytes_;
  std::mutex mutex_;
  std::map<std::string, CacheMountName> used_;  // by key
};

}  // namespace kiln
