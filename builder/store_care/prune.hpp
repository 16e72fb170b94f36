#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "builder/store_care/disk_usage.hpp"

namespace kiln {

// How far a prune goes. Without any limit it takes everything it may.
struct PruneOptions {
  std::optional<std::uint64_t> max_used_bytes;  // go on until no more than this is used
  std::uint64_t reserved_bytes = 0;             // never go below this
  std::optional<std::uint64_t> min_free_bytes;  // go on until the file system has this much free
  std::optional<std::int64_t> unused_seconds;   // only what was not used for so long
  std::set<StoreItemKind> kinds;                // only these; empty: all that may be taken
  bool all = false;  // also what is dear to get again: bases, packages, and the records of steps of named images
  bool dry_run = false;
};

struct PruneReport {
  std::vector<StoreItem> removed;  // in the order of their last use; with dry_run, what would be
  std::uint64_t bytes = 0;         // freed, temporary files of killed processes not counted
  std::uint64_t used_before = 0;
};

// Removes what was used longest ago. Never what a running kiln uses, nor a blob that a name in index.json reaches. Step
// records go with the layers that only they name. A kill at any point leaves a store that is whole: a record without
// its blobs is a miss, a blob without a record goes with the next prune.
//
// Error{machine}, and no blob is removed, where a manifest that index.json reaches is damaged.
PruneReport prune(ContentStore& store, SnapshotStore& snapshots, CacheMounts& mounts, const PruneOptions& options,
                  UnixSeconds now);

}  // namespace kiln
