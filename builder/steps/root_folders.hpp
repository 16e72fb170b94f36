#pragma once

#include <memory>
#include <string>

#include "builder/layer/merged_view.hpp"
#include "builder/run/snapshot_store.hpp"
#include "builder/steps/layer_indexes.hpp"

namespace kiln {

// The folders on disk of layers that lie on top of each other. Any thread.
class RootFolders {
 public:
  RootFolders(SnapshotStore& snapshots, LayerBlobs& blobs, LayerIndexes& indexes, CancelToken cancel)
      : snapshots_(snapshots), blobs_(blobs), indexes_(indexes), cancel_(std::move(cancel)) {}

  // Bottom to top, kept from a garbage collector for as long as the value lives. Blocked where it needs the blob of a
  // step's layer that no place has.
  OrBlocked<SnapshotChain> of(const ImageLayers& layers, const std::string& step = {});
  // The folder of a layer that is about to be written on top of these, and its end: the layer is whole.
  std::unique_ptr<GrowingSnapshot> begin(const MergedView& below);
  void end(std::unique_ptr<GrowingSnapshot> folder, const ImageLayers& below, const oci::Digest& diff_id);
  // Reads the index of one of the layers, and unpacks it by the way; `below` is the view of those under it.
  OrBlocked<std::shared_ptr<const FileIndex>> unpack_and_index(const ImageLayers& layers, std::size_t number,
                                                               MergedView below, const std::string& step);

 private:
  SnapshotStore& snapshots_;
  LayerBlobs& blobs_;
  LayerIndexes& indexes_;
  CancelToken cancel_;
};

}  // namespace kiln
