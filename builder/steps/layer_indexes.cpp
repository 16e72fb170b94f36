#include "builder/steps/layer_indexes.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "builder/cache/layer_entry.hpp"
#include "registry/store/layer_facts.hpp"

namespace kiln {

std::map<std::string, LayerValue> LayerIndexes::foreign_layers() const {
  const std::lock_guard lock(mutex_);
  return foreign_;
}

// An index that somebody else made: its digest was verified, and it must be of this layer.
std::shared_ptr<const FileIndex> LayerIndexes::checked_index(const oci::Descriptor& index, const oci::Digest& diff_id,
                                                             const std::string& step) {
  if (!shared_->fetch_blob(index, store_, FetchedKind::file_index, step)) return nullptr;
  try {
    auto loaded = loaded_.load(index);
    return loaded->diff_id() == diff_id ? loaded : nullptr;
  } catch (const Error& error) {
    if (error.category() == Category::cancelled) throw;
    return nullptr;  // the layer itself tells what it holds
  }
}

void LayerIndexes::note_foreign(const ImageLayer& layer, const oci::Descriptor& index) {
  if (!layer.key.empty() || layer.value.blobs.empty()) return;
  LayerValue value = layer.value;
  value.index = index;
  const std::lock_guard lock(mutex_);
  foreign_.insert_or_assign(statement_key(layer), std::move(value));
}

std::shared_ptr<const FileIndex> LayerIndexes::shared_index(const ImageLayer& layer, const std::string& step) {
  if (!shared_) return nullptr;
  if (layer.value.index) return checked_index(*layer.value.index, layer.value.diff_id, step);
  if (!layer.key.empty() || layer.value.blobs.empty()) return nullptr;
  const oci::Digest& blob = layer.value.blobs.front().descriptor.digest;
  if (store_.has(blob)) return nullptr;  // it tells by itself what it holds
  const std::string key = statement_key(layer);
  const auto found = shared_->find(key, kLayerEntryType);
  if (!found.entry) return nullptr;
  const auto value = parse_layer_entry(found.entry->content);
  if (!value || value->diff_id != layer.value.diff_id || !value->index) return nullptr;
  auto index = checked_index(*value->index, layer.value.diff_id, step);
  if (index) {
    // A blob that was read here before and comes again is not read again.
    if (!blob_info(store_, blob)) set_index_of_layer(store_, layer.value.diff_id, *value->index);
    note_foreign(layer, *value->index);
  }
  return index;
}

OrBlocked<std::shared_ptr<const FileIndex>> LayerIndexes::of(const ImageLayer& layer, const std::string& step) {
  if (auto known = this->known(layer, step)) return known;
  return read(layer, step);
}

std::shared_ptr<const FileIndex> LayerIndexes::known(const ImageLayer& layer, const std::string& step) {
  if (blobs_.is_false(layer)) return nullptr;
  if (layer.value.index) {
    store_.lease(layer.value.index->digest);
    if (store_.has(layer.value.index->digest)) return loaded_.load(*layer.value.index);
  }
  if (auto known = loaded_.find(layer.value.diff_id)) {
    if (const auto index = index_of_layer(store_, layer.value.diff_id)) note_foreign(layer, *index);
    return known;
  }
  return shared_index(layer, step);
}

OrBlocked<std::shared_ptr<const FileIndex>> LayerIndexes::read(const ImageLayer& layer, const std::string& step,
                                                               const TarListener& listener, std::uint64_t* read) {
  const OrBlocked<LayerBlob> blob = blobs_.local(layer, step);
  if (blob.is_blocked()) return blob.blocked();
  const IndexedLayer indexed =
      index_layer(store_, pool_, blob.value().descriptor, layer.value.diff_id, cancel_, listener);
  if (read != nullptr) *read = indexed.unpacked_bytes;
  note_foreign(layer, indexed.index);
  return loaded_.load(indexed.index);
}

void LayerIndexes::fetch(const ImageLayers& layers, const std::string& step) {
  if (!shared_) return;
  std::vector<oci::Descriptor> wanted;
  for (const ImageLayer& layer : layers) {
    if (layer.value.index && !store_.has(layer.value.index->digest)) wanted.push_back(*layer.value.index);
  }
  if (wanted.size() < 2) return;
  ThreadPool pool(std::min<std::size_t>(wanted.size(), 8));
  pool.parallel_for(wanted.size(),
                    [&](std::size_t i) { shared_->fetch_blob(wanted[i], store_, FetchedKind::file_index, step); });
}

}  // namespace kiln
