#pragma once

#include <future>
#include <string_view>

#include "builder/layer/tar_pipe.hpp"
#include "builder/layer/unpack.hpp"
#include "builder/run/snapshot_store.hpp"

namespace kiln {

// A layer's snapshot that is made while the layer is written or read for the first time: its tar is unpacked as it
// comes, by a thread of its own. For one thread at a time. Given up unless SnapshotStore::adopt() takes it.
class GrowingSnapshot {
 public:
  ~GrowingSnapshot();
  GrowingSnapshot(const GrowingSnapshot&) = delete;
  GrowingSnapshot& operator=(const GrowingSnapshot&) = delete;

  // Waits while unpacking is too far behind.
  void write(std::string_view tar_bytes) { pipe_.write(tar_bytes); }

 private:
  friend class SnapshotStore;
  GrowingSnapshot(SnapshotUpper upper, LowerLayers lower, const UnpackOptions& options, ThreadPool& pool,
                  const CancelToken& cancel);
  // The folder with all that was written; none where that could not be unpacked.
  std::optional<SnapshotUpper> finish();

  SnapshotUpper upper_;
  TarPipe pipe_{BufferOwner::unpacking};
  std::future<void> unpacking_;
};

}  // namespace kiln
