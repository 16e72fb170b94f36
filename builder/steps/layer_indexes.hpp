#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "builder/layer/file_index.hpp"
#include "builder/layer/index_layer.hpp"
#include "builder/steps/layer_blobs.hpp"

namespace kiln {

// The file indexes of layers, with the least effort: from the store, else from a shared cache, else by reading the
// blob, which may have to be fetched. What a cache says is believed until the blob is here; then it is compared with it
// (LayerBlobs), before it is used or, where it was used before, used again. What is fetched is noted as fetched for
// `step`. Any thread.
class LayerIndexes {
 public:
  LayerIndexes(const LayerPlaces& places, LayerBlobs& blobs, ThreadPool& pool, CancelToken cancel)
      : store_(places.store),
        shared_(places.shared),
        blobs_(blobs),
        pool_(pool),
        cancel_(std::move(cancel)),
        loaded_(places.store) {}

  // Blocked where it needs the blob of a step's layer that no place has.
  OrBlocked<std::shared_ptr<const FileIndex>> of(const ImageLayer& layer, const std::string& step = {});
  // One that is there without the layer's blob; null where there is none.
  std::shared_ptr<const FileIndex> known(const ImageLayer& layer, const std::string& step);
  // By reading the blob, whose tar `listener` hears. `read`: how many bytes of it were read; 0 where an index was
  // there.
  OrBlocked<std::shared_ptr<const FileIndex>> read(const ImageLayer& layer, const std::string& step,
                                                   const TarListener& listener = {}, std::uint64_t* read = nullptr);
  // Brings those that a shared cache has together: one after the other each would cost its way there and back.
  void fetch(const ImageLayers& layers, const std::string& step);

  // Foreign layers whose file index was used, by foreign_layer_key(): for shared caches.
  std::map<std::string, LayerValue> foreign_layers() const;

 private:
  std::shared_ptr<const FileIndex> shared_index(const ImageLayer& layer, const std::string& step);
  std::shared_ptr<const FileIndex> checked_index(const oci::Descriptor& index, const oci::Digest& diff_id,
                                                 const std::string& step);
  void note_foreign(const ImageLayer& layer, const oci::Descriptor& index);

  ContentStore& store_;
  SharedCache* shared_;
  LayerBlobs& blobs_;
  ThreadPool& pool_;
  CancelToken cancel_;
  IndexCache loaded_;
  mutable std::mutex mutex_;  // of what is below
  std::map<std::string, LayerValue> foreign_;
};

}  // namespace kiln
