#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "builder/layer/compression.hpp"
#include "builder/layer/layer.hpp"
#include "builder/steps/layer_blobs.hpp"

namespace kiln {

// The key under which a shared cache has a layer by its shape (registry/store/layer_facts.hpp) and form.
std::string layer_shape_key(const std::string& shape, const Compression& compression);

// Layers of a shape that are there already: in the store, else in a shared cache, which may be the registry that the
// image goes to, else at that registry, where this home pushed or pulled them before they were pruned. They are
// candidates: the caller compares diff IDs before it takes one. So a RUN that is executed again neither compresses nor
// sends what it installed before, on whichever machine. Any thread.
class KnownLayers {
 public:
  KnownLayers(const LayerPlaces& places, LayerBlobs& blobs)
      : store_(places.store), remote_(places.remote), shared_(places.shared), blobs_(blobs) {}

  // The names (references) that images of this build are pushed to. Before anything is asked.
  void expect_pushes(std::vector<std::string> names) { pushed_names_ = std::move(names); }

  std::optional<LayerValue> in_store(const std::string& shape, const Compression& compression);
  // In the order of the shapes, asked for at once. What is found need not come to this machine: its blob was seen in
  // the cache, and pushes mount it from there. Not one that could not be had in this build.
  std::vector<std::optional<LayerValue>> in_cache(std::span<const std::string> shapes, const Compression& compression);
  // The same by what this home remembers of layers that it has no more; nothing where no push goes to their registry. A
  // layer that is found lacks its index.
  std::vector<std::optional<LayerValue>> at_registry(std::span<const std::string> shapes,
                                                     const Compression& compression);
  // A layer was made: this machine's next builds and, with made(), others will know it.
  void note(const std::string& shape, const Compression& compression, const LayerValue& layer);
  // By layer_shape_key().
  std::map<std::string, LayerValue> made() const;

 private:
  std::set<std::string> push_registries();

  ContentStore& store_;
  LazyRemote& remote_;
  SharedCache* shared_;
  LayerBlobs& blobs_;
  std::vector<std::string> pushed_names_;
  mutable std::mutex mutex_;
  std::map<std::string, LayerValue> made_;
};

}  // namespace kiln
