#include "builder/steps/layer_access.hpp"

#include <optional>

#include "registry/store/layer_facts.hpp"

namespace kiln {

// Layers of a base that no kiln has seen are read one after the other, and fetched together.
void LayerAccess::fetch_above(WorkAhead& ahead, const ImageLayers& layers, std::size_t number,
                              const std::string& step) {
  for (std::size_t above = number + 1; above < layers.size(); ++above) {
    if (layers[above].value.index || index_of_layer(store(), layers[above].value.diff_id)) continue;
    ahead.add([this, layer = layers[above], step] { blobs_.local(layer, step); });
  }
}

OrBlocked<MergedView> LayerAccess::view(const ImageLayers& layers, Files files, const std::string& step) {
  indexes_.fetch(layers, step);
  MergedView view;
  Blocked blocked;
  std::optional<WorkAhead> ahead;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    auto index = indexes_.known(layers[i], step);
    if (!index) {
      if (!ahead) {
        ahead.emplace(kBlobsAhead);
        fetch_above(*ahead, layers, i, step);
      }
      // With one layer missing only the others that are missing too are of interest.
      const bool unpacks = files == Files::soon && blocked.lost.empty();
      auto read = unpacks ? folders_.unpack_and_index(layers, i, view, step) : indexes_.read(layers[i], step);
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

}  // namespace kiln
