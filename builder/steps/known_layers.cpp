#include "builder/steps/known_layers.hpp"

#include "builder/cache/layer_entry.hpp"
#include "builder/cache/step_key.hpp"
#include "registry/store/layer_facts.hpp"

namespace kiln {

std::string layer_shape_key(const std::string& shape, const Compression& compression) {
  return StepKeyBuilder("shape").text("shape", shape).text("form", compression.str()).finish();
}

std::optional<LayerValue> KnownLayers::in_store(const std::string& shape, const Compression& compression) {
  auto blob = blob_of_shape(store_, shape, compression.str());
  const auto info = blob ? blob_info(store_, blob->digest) : std::nullopt;
  if (!info) return std::nullopt;
  LayerValue layer;
  layer.diff_id = info->diff_id;
  layer.unpacked_bytes = info->unpacked_bytes;
  layer.index = index_of_layer(store_, layer.diff_id);
  if (!layer.index) return std::nullopt;
  blob->media_type = compression.media_type();
  layer.blobs.push_back({std::move(*blob), compression});
  return layer;
}

std::vector<std::optional<LayerValue>> KnownLayers::in_cache(std::span<const std::string> shapes,
                                                             const Compression& compression) {
  std::vector<std::optional<LayerValue>> found(shapes.size());
  if (!shared_ || shapes.empty()) return found;
  std::vector<std::string> keys;
  for (const std::string& shape : shapes) keys.push_back(layer_shape_key(shape, compression));
  const auto findings = shared_->find(keys, kLayerEntryType);
  for (std::size_t i = 0; i < findings.size(); ++i) {
    if (!findings[i].entry) continue;
    std::optional<LayerValue> layer = parse_layer_entry(findings[i].entry->content);
    if (!layer || !layer->index || layer->blobs.size() != 1) continue;
    const LayerBlob& blob = layer->blobs.front();
    if (blob.compression != compression || blob.descriptor.media_type != compression.media_type()) continue;
    if (blobs_.was_lost(blob.descriptor.digest) || !shared_->has_blob(blob.descriptor)) continue;
    found[i] = std::move(layer);
  }
  return found;
}

void KnownLayers::note(const std::string& shape, const Compression& compression, const LayerValue& layer) {
  set_blob_of_shape(store_, shape, compression.str(), layer.blobs.front().descriptor);
  const std::lock_guard lock(mutex_);
  made_.insert_or_assign(layer_shape_key(shape, compression), layer);
}

std::map<std::string, LayerValue> KnownLayers::made() const {
  const std::lock_guard lock(mutex_);
  return made_;
}

}  // namespace kiln
