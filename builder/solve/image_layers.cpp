#include "builder/solve/image_layers.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "builder/layer/layer_reader.hpp"
#include "registry/remote/pull.hpp"

namespace kiln {

std::vector<oci::Digest> diff_ids_of(const ImageLayers& layers) {
  std::vector<oci::Digest> result;
  result.reserve(layers.size());
  for (const ImageLayer& layer : layers) result.push_back(layer.value.diff_id);
  return result;
}

RemoteSession& LazyRemote::get() {
  const std::lock_guard lock(mutex_);
  if (!session_) session_ = opener_();
  return *session_;
}

RemoteSession* LazyRemote::opened() {
  const std::lock_guard lock(mutex_);
  return session_.get();
}

LayerBlob LayerAccess::local_blob(const ImageLayer& layer) {
  for (const LayerBlob& blob : layer.value.blobs) {
    store_.lease(blob.descriptor.digest);
    if (store_.has(blob.descriptor.digest)) return blob;
  }
  if (layer.value.blobs.empty()) {
    throw Error(Category::machine, fmt::format("layer '{}': no blob of it is known", layer.value.diff_id.str()));
  }
  const LayerBlob& blob = layer.value.blobs.front();
  if (!layer.remote) {
    throw Error(Category::machine, fmt::format("layer blob '{}' is not in the store; run 'kiln cache verify'",
                                               blob.descriptor.digest.str()));
  }
  fetch_blob(remote_.get(), store_, blob.descriptor, layer.remote);
  return blob;
}

std::shared_ptr<const FileIndex> LayerAccess::index(const ImageLayer& layer) {
  if (layer.value.index) {
    store_.lease(layer.value.index->digest);
    if (store_.has(layer.value.index->digest)) return indexes_.load(*layer.value.index);
  }
  if (auto known = indexes_.find(layer.value.diff_id)) return known;
  const LayerBlob blob = local_blob(layer);
  const IndexedLayer indexed = index_layer(store_, pool_, blob.descriptor, layer.value.diff_id, cancel_);
  return indexes_.load(indexed.index);
}

MergedView LayerAccess::view(const ImageLayers& layers) {
  std::vector<std::shared_ptr<const FileIndex>> indexes;
  indexes.reserve(layers.size());
  for (const ImageLayer& layer : layers) indexes.push_back(index(layer));
  return MergedView(std::move(indexes));
}

SnapshotChain LayerAccess::folders(const ImageLayers& layers) {
  std::vector<SnapshotLayer> wanted;
  wanted.reserve(layers.size());
  for (const ImageLayer& layer : layers) {
    wanted.push_back({layer.value.diff_id, index(layer), [this, layer] { return local_blob(layer).descriptor; }});
  }
  return snapshots_.ensure(wanted, cancel_);
}

}  // namespace kiln
