#include "builder/steps/known_layers.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/thread_pool.hpp"
#include "builder/cache/layer_entry.hpp"
#include "builder/cache/step_key.hpp"
#include "registry/store/layer_facts.hpp"
#include "registry/store/remembered_layers.hpp"

namespace kiln {

namespace {

constexpr std::size_t kMostQuestions = 8;  // to a registry, at once

}  // namespace

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

// "HOST[:PORT]" of each, as places are seen.
std::set<std::string> KnownLayers::push_registries() {
  std::set<std::string> registries;
  for (const std::string& name : pushed_names_) {
    try {
      registries.insert(remote_.get().repository_of(oci::Reference::parse(name)).endpoint.authority);
    } catch (const Error&) {
      // The push meets it again, and says it.
    }
  }
  return registries;
}

std::vector<std::optional<LayerValue>> KnownLayers::at_registry(std::span<const std::string> shapes,
                                                                const Compression& compression) {
  std::vector<std::optional<LayerValue>> found(shapes.size());
  if (pushed_names_.empty()) return found;
  std::vector<std::size_t> remembered;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    auto blob = noted_blob_of_shape(store_, shapes[i], compression.str());
    const auto info = blob ? blob_info(store_, blob->digest) : std::nullopt;
    if (!info) continue;
    blob->media_type = compression.media_type();
    LayerValue& layer = found[i].emplace();
    layer.diff_id = info->diff_id;
    layer.unpacked_bytes = info->unpacked_bytes;
    layer.blobs.push_back({std::move(*blob), compression});
    remembered.push_back(i);
  }
  if (remembered.empty()) return found;
  const std::set<std::string> registries = push_registries();
  ThreadPool pool(std::min(remembered.size(), kMostQuestions));
  pool.parallel_for(remembered.size(), [&](std::size_t number) {
    std::optional<LayerValue>& layer = found[remembered[number]];
    const auto place = blobs_.at_registry(layer->blobs.front().descriptor);
    if (!place || !registries.count(place->endpoint.authority)) layer.reset();
  });
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
