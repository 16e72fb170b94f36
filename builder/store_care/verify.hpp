#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "base/thread_pool.hpp"
#include "builder/run/snapshot_store.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

// Something of the store that is not what it should be.
struct StoreProblem {
  std::string what;     // "blob 'sha256:...'", "step record 'KEY'", "image 'ghcr.io/acme/app:1'", "snapshot 12"
  std::string problem;  // expected and actual
  std::string remedy;   // what a repair does, or did
  bool repaired = false;
};

struct VerifyReport {
  std::vector<StoreProblem> problems;
  std::size_t blobs = 0;
  std::size_t layers = 0;  // blobs that were inflated and held against their diff ID
  std::size_t records = 0;
  std::size_t packages = 0;
  std::size_t snapshots = 0;
  std::size_t snapshots_unknown = 0;  // whose layer's file index is not here: nothing to hold them against
  std::uint64_t bytes = 0;            // read

  bool is_sound() const;  // nothing was wrong, or all of it is repaired
};

enum class Repair { no, yes };

// Reads everything that can be verified: blobs against their digests, layers against their diff IDs, file indexes, step
// and build records against their sums, packages against their digests, snapshots file by file against their layer's
// index, and that names in index.json reach what is whole. Contents of cache mounts are the commands' own and cannot be
// verified.
//
// A repair takes damaged things away, so that they are made or fetched again: a record with its layer is a miss, a
// snapshot is unpacked anew. An image that has lost a blob loses its name, since it could not be used. A layer whose
// other blob is whole keeps that one. What another process holds is left and stays a problem.
//
// Builds may go on meanwhile; what vanishes while it is looked at is no problem.
VerifyReport verify_store(ContentStore& store, SnapshotStore& snapshots, ThreadPool& pool, Repair repair,
                          const CancelToken& cancel);

}  // namespace kiln
