#include "builder/steps/image_layers.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "builder/cache/layer_entry.hpp"
#include "builder/cache/step_key.hpp"
#include "builder/layer/index_layer.hpp"
#include "builder/run/growing_snapshot.hpp"
#include "builder/steps/layer_claims.hpp"
#include "registry/remote/pull.hpp"
#include "registry/store/layer_facts.hpp"

namespace kiln {

std::vector<oci::Digest> diff_ids_of(const ImageLayers& layers) {
  std::vector<oci::Digest> result;
  result.reserve(layers.size());
  for (const ImageLayer& layer : layers) result.push_back(layer.value.diff_id);
  return result;
}

std::string BaseOrigin::str() const {
  const std::string pin = digest && reference.find('@') == std::string::npos ? "@" + digest->str() : "";
  return fmt::format("'{}{}' for {}", reference, pin, platform.str());
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

void refuse_lost(const Blocked& blocked) {
  if (blocked.lost.empty()) throw Error(Category::machine, "a step was looked up only");
  const auto& [key, text] = *blocked.lost.begin();
  throw Error(Category::machine, fmt::format("no place has the layer of '{}' any more; build it again, or run 'kiln "
                                             "cache verify'",
                                             text.empty() ? key : text));
}

std::string foreign_layer_key(const oci::Digest& blob, const oci::Digest& diff_id) {
  return StepKeyBuilder("layer").text("blob", blob.str()).text("diff", diff_id.str()).finish();
}

std::map<std::string, LayerValue> LayerAccess::foreign_layers() const {
  const std::lock_guard lock(mutex_);
  return foreign_;
}

std::optional<std::string> LayerAccess::known_head(const oci::Digest& diff_id, const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto it = heads_.find({diff_id, path});
  return it == heads_.end() ? std::nullopt : std::optional(it->second);
}

void LayerAccess::remember_head(const oci::Digest& diff_id, const std::string& path, std::string head) {
  const std::lock_guard lock(mutex_);
  heads_.insert_or_assign({diff_id, path}, std::move(head));
}

bool LayerAccess::fetch_for_push(const oci::Descriptor& blob) {
  return shared_ && shared_->fetch_blob(blob, store_, "layer", "push");
}

bool LayerAccess::can_be_had(const ImageLayer& layer) {
  if (layer.remote || layer.key.empty()) return true;
  return std::any_of(layer.value.blobs.begin(), layer.value.blobs.end(), [&](const LayerBlob& blob) {
    store_.lease(blob.descriptor.digest);
    return store_.has(blob.descriptor.digest) || (shared_ && shared_->has_blob(blob.descriptor));
  });
}

OrBlocked<LayerBlob> LayerAccess::local_blob(const ImageLayer& layer, const std::string& step) {
  for (const LayerBlob& blob : layer.value.blobs) {
    store_.lease(blob.descriptor.digest);
    if (store_.has(blob.descriptor.digest)) return blob;
  }
  if (layer.value.blobs.empty()) {
    throw Error(Category::machine, fmt::format("layer '{}': no blob of it is known", layer.value.diff_id.str()));
  }
  const LayerBlob& first = layer.value.blobs.front();
  if (layer.remote) {
    with_context(
        [&] { return fmt::format("while fetching layer '{}' of '{}'", first.descriptor.digest.str(), layer.text); },
        [&] { fetch_blob(remote_.get(), store_, first.descriptor, layer.remote); });
    return first;
  }
  if (!layer.key.empty()) {
    for (const LayerBlob& blob : layer.value.blobs) {
      if (shared_ && shared_->fetch_blob(blob.descriptor, store_, "layer", step)) return blob;
    }
    return Blocked{{{layer.key, layer.text}}};
  }
  throw Error(Category::machine, fmt::format("layer blob '{}' is not in the store; run 'kiln cache verify'",
                                             first.descriptor.digest.str()));
}

// An index that somebody else made: its digest was verified, and it must be of this layer.
std::shared_ptr<const FileIndex> LayerAccess::checked_index(const oci::Descriptor& index, const oci::Digest& diff_id,
                                                            const std::string& step) {
  if (!shared_->fetch_blob(index, store_, "file index", step)) return nullptr;
  try {
    auto loaded = indexes_.load(index);
    return loaded->diff_id() == diff_id ? loaded : nullptr;
  } catch (const Error& error) {
    if (error.category() == Category::cancelled) throw;
    return nullptr;  // the layer itself tells what it holds
  }
}

void LayerAccess::note_foreign(const ImageLayer& layer, const oci::Descriptor& index) {
  if (!layer.key.empty() || layer.value.blobs.empty()) return;
  LayerValue value = layer.value;
  value.index = index;
  const std::lock_guard lock(mutex_);
  foreign_.emplace(foreign_layer_key(value.blobs.front().descriptor.digest, value.diff_id), std::move(value));
}

std::shared_ptr<const FileIndex> LayerAccess::shared_index(const ImageLayer& layer, const std::string& step) {
  if (!shared_) return nullptr;
  if (layer.value.index) return checked_index(*layer.value.index, layer.value.diff_id, step);
  if (!layer.key.empty() || layer.value.blobs.empty()) return nullptr;
  const std::string key = foreign_layer_key(layer.value.blobs.front().descriptor.digest, layer.value.diff_id);
  const auto found = shared_->find(key, kLayerEntryType);
  if (!found.entry) return nullptr;
  const auto value = parse_layer_entry(found.entry->content);
  if (!value || value->diff_id != layer.value.diff_id || !value->index) return nullptr;
  auto index = checked_index(*value->index, layer.value.diff_id, step);
  if (index) {
    set_index_of_layer(store_, layer.value.diff_id, *value->index);
    note_foreign(layer, *value->index);
  }
  return index;
}

OrBlocked<std::shared_ptr<const FileIndex>> LayerAccess::index(const ImageLayer& layer, const std::string& step) {
  if (auto known = known_index(layer, step)) return known;
  return read_index(layer, step);
}

std::shared_ptr<const FileIndex> LayerAccess::known_index(const ImageLayer& layer, const std::string& step) {
  if (layer.value.index) {
    store_.lease(layer.value.index->digest);
    if (store_.has(layer.value.index->digest)) return indexes_.load(*layer.value.index);
  }
  if (auto known = indexes_.find(layer.value.diff_id)) {
    if (const auto index = index_of_layer(store_, layer.value.diff_id)) note_foreign(layer, *index);
    return known;
  }
  return shared_index(layer, step);
}

// `read`: how many bytes of its tar were read for it; 0 where an index was there.
OrBlocked<std::shared_ptr<const FileIndex>> LayerAccess::read_index(const ImageLayer& layer, const std::string& step,
                                                                    const TarListener& listener, std::uint64_t* read) {
  const OrBlocked<LayerBlob> blob = local_blob(layer, step);
  if (blob.is_blocked()) return blob.blocked();
  const IndexedLayer indexed =
      index_layer(store_, pool_, blob.value().descriptor, layer.value.diff_id, cancel_, listener);
  if (read != nullptr) *read = indexed.uncompressed_bytes;
  note_foreign(layer, indexed.index);
  return indexes_.load(indexed.index);
}

OrBlocked<std::shared_ptr<const FileIndex>> LayerAccess::unpack_and_index(const ImageLayers& layers, std::size_t number,
                                                                          MergedView below, const std::string& step) {
  const ImageLayer& layer = layers[number];
  const ImageLayers lower(layers.begin(), layers.begin() + static_cast<std::ptrdiff_t>(number));
  const OrBlocked<SnapshotChain> chain = folders(lower, step);
  if (chain.is_blocked()) return chain.blocked();
  const oci::Digest id = oci::chain_id(chain.value().chain_id(), layer.value.diff_id);
  if (snapshots_.has(id)) return read_index(layer, step);
  auto snapshot = snapshots_.begin_growing({std::move(below), chain.value().folders()}, cancel_);
  std::uint64_t told = 0;
  std::uint64_t whole = 0;
  auto index = read_index(
      layer, step,
      [&](std::string_view tar) {
        told += tar.size();
        snapshot->write(tar);
      },
      &whole);
  if (!index.is_blocked() && told == whole) snapshots_.adopt(std::move(snapshot), id);
  return index;
}

// Layers of a base that no kiln has seen are read one after the other, and fetched together.
void LayerAccess::fetch_above(WorkAhead& ahead, const ImageLayers& layers, std::size_t number,
                              const std::string& step) {
  for (std::size_t above = number + 1; above < layers.size(); ++above) {
    if (layers[above].value.index || index_of_layer(store_, layers[above].value.diff_id)) continue;
    ahead.add([this, layer = layers[above], step] { local_blob(layer, step); });
  }
}

OrBlocked<MergedView> LayerAccess::view(const ImageLayers& layers, Files files, const std::string& step) {
  fetch_indexes(layers, step);
  MergedView view;
  Blocked blocked;
  std::optional<WorkAhead> ahead;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    auto index = known_index(layers[i], step);
    if (!index) {
      if (!ahead) {
        ahead.emplace(kBlobsAhead);
        fetch_above(*ahead, layers, i, step);
      }
      // With one layer missing only the others that are missing too are of interest.
      const bool unpacks = files == Files::soon && blocked.lost.empty();
      auto read = unpacks ? unpack_and_index(layers, i, view, step) : read_index(layers[i], step);
      if (read.is_blocked()) {
        blocked.add(read.blocked());
        continue;
      }
      index = std::move(read).value();
    }
    view = view.with_layer(std::move(index));
  }
  if (!blocked.lost.empty()) return blocked;
  return view;
}

std::unique_ptr<GrowingSnapshot> LayerAccess::begin_folder(const MergedView& below) {
  // No hard link leads out of a layer of kiln's own, so the folders below are not needed.
  return snapshots_.begin_growing({below, {}}, cancel_);
}

void LayerAccess::end_folder(std::unique_ptr<GrowingSnapshot> folder, const ImageLayers& below,
                             const oci::Digest& diff_id) {
  snapshots_.adopt(std::move(folder), oci::chain_id(oci::chain_id(diff_ids_of(below)), diff_id));
}

// Those that a shared cache has come together: one after the other each would cost its way there and back.
void LayerAccess::fetch_indexes(const ImageLayers& layers, const std::string& step) {
  if (!shared_) return;
  std::vector<oci::Descriptor> wanted;
  for (const ImageLayer& layer : layers) {
    if (layer.value.index && !store_.has(layer.value.index->digest)) wanted.push_back(*layer.value.index);
  }
  if (wanted.size() < 2) return;
  ThreadPool pool(std::min<std::size_t>(wanted.size(), 8));
  pool.parallel_for(wanted.size(), [&](std::size_t i) { shared_->fetch_blob(wanted[i], store_, "file index", step); });
}

OrBlocked<SnapshotChain> LayerAccess::folders(const ImageLayers& layers, const std::string& step) {
  Blocked blocked;
  std::mutex blocked_mutex;  // blobs are fetched ahead by other threads
  std::vector<SnapshotLayer> wanted;
  wanted.reserve(layers.size());
  for (const ImageLayer& layer : layers) {
    auto known = index(layer, step);
    if (known.is_blocked()) return known.blocked();
    wanted.push_back({layer.value.diff_id, std::move(known).value(), [&, layer]() -> std::optional<oci::Descriptor> {
                        const OrBlocked<LayerBlob> blob = checked_blob(*this, layer, step);
                        if (!blob.is_blocked()) return blob.value().descriptor;
                        const std::lock_guard lock(blocked_mutex);
                        blocked.add(blob.blocked());
                        return std::nullopt;
                      }});
  }
  // Returns with no fetch on its way any more.
  std::optional<SnapshotChain> chain = snapshots_.try_ensure(wanted, cancel_);
  if (!chain) return blocked;
  return std::move(*chain);
}

}  // namespace kiln
