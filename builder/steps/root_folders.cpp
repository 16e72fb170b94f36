#include "builder/steps/root_folders.hpp"

#include <mutex>
#include <optional>
#include <vector>

#include "builder/run/growing_snapshot.hpp"
#include "registry/oci/image_config.hpp"

namespace kiln {

OrBlocked<std::shared_ptr<const FileIndex>> RootFolders::unpack_and_index(const ImageLayers& layers, std::size_t number,
                                                                          MergedView below, const std::string& step) {
  const ImageLayer& layer = layers[number];
  const ImageLayers lower(layers.begin(), layers.begin() + static_cast<std::ptrdiff_t>(number));
  const OrBlocked<SnapshotChain> chain = of(lower, step);
  if (chain.is_blocked()) return chain.blocked();
  const oci::Digest id = oci::chain_id(chain.value().chain_id(), layer.value.diff_id);
  if (snapshots_.has(id)) return indexes_.read(layer, step);
  auto snapshot = snapshots_.begin_growing({std::move(below), chain.value().folders()}, cancel_);
  std::uint64_t told = 0;
  std::uint64_t whole = 0;
  auto index = indexes_.read(
      layer, step,
      [&](std::string_view tar) {
        told += tar.size();
        snapshot->write(tar);
      },
      &whole);
  if (!index.is_blocked() && told == whole) snapshots_.adopt(std::move(snapshot), id);
  return index;
}

std::unique_ptr<GrowingSnapshot> RootFolders::begin(const MergedView& below) {
  // No hard link leads out of a layer of kiln's own, so the folders below are not needed.
  return snapshots_.begin_growing({below, {}}, cancel_);
}

void RootFolders::end(std::unique_ptr<GrowingSnapshot> folder, const ImageLayers& below, const oci::Digest& diff_id) {
  snapshots_.adopt(std::move(folder), oci::chain_id(oci::chain_id(diff_ids_of(below)), diff_id));
}

OrBlocked<SnapshotChain> RootFolders::of(const ImageLayers& layers, const std::string& step) {
  Blocked blocked;
  std::mutex blocked_mutex;  // blobs are fetched ahead by other threads
  std::vector<SnapshotLayer> wanted;
  wanted.reserve(layers.size());
  for (const ImageLayer& layer : layers) {
    auto known = indexes_.of(layer, step);
    if (known.is_blocked()) return known.blocked();
    wanted.push_back({layer.value.diff_id, std::move(known).value(), [&, layer]() -> std::optional<oci::Descriptor> {
                        const OrBlocked<LayerBlob> blob = blobs_.checked(layer, step);
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
