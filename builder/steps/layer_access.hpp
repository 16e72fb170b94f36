#pragma once

#include <string>

#include "base/cancel.hpp"
#include "base/thread_pool.hpp"
#include "base/work_ahead.hpp"
#include "builder/steps/file_heads.hpp"
#include "builder/steps/known_layers.hpp"
#include "builder/steps/layer_blobs.hpp"
#include "builder/steps/layer_indexes.hpp"
#include "builder/steps/root_folders.hpp"

namespace kiln {

// What can be asked about layers: their blobs, their file indexes, their files on disk, and their merged view, which is
// made of indexes. Any thread.
class LayerAccess {
 public:
  LayerAccess(const LayerPlaces& places, ThreadPool& pool, CancelToken cancel)
      : places_(places),
        pool_(pool),
        cancel_(std::move(cancel)),
        blobs_(places, pool, cancel_),
        known_(places, blobs_),
        indexes_(places, blobs_, pool, cancel_),
        folders_(places.snapshots, blobs_, indexes_, cancel_) {}

  LayerBlobs& blobs() noexcept { return blobs_; }
  KnownLayers& known_layers() noexcept { return known_; }
  LayerIndexes& indexes() noexcept { return indexes_; }
  RootFolders& folders() noexcept { return folders_; }
  FileHeads& file_heads() noexcept { return heads_; }

  // Whether the layers' files will be wanted as well: then a layer whose blob must be read for its index is unpacked by
  // the way.
  enum class Files { later, soon };
  // Blocked where it needs the blob of a step's layer that no place has.
  OrBlocked<MergedView> view(const ImageLayers& layers, Files files = Files::later, const std::string& step = {});

  ContentStore& store() noexcept { return places_.store; }
  ThreadPool& pool() noexcept { return pool_; }
  RemoteSession& remote() { return places_.remote.get(); }
  SnapshotStore& snapshots() noexcept { return places_.snapshots; }
  const CancelToken& cancel() const noexcept { return cancel_; }

 private:
  void fetch_above(WorkAhead& ahead, const ImageLayers& layers, std::size_t number, const std::string& step);

  LayerPlaces places_;
  ThreadPool& pool_;
  CancelToken cancel_;
  LayerBlobs blobs_;
  KnownLayers known_;
  LayerIndexes indexes_;
  RootFolders folders_;
  FileHeads heads_;
};

}  // namespace kiln
