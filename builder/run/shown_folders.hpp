#pragma once

#include <vector>

#include "builder/layer/merged_view.hpp"
#include "builder/run/snapshot_store.hpp"

namespace kiln {

// The folders of a chain that show in a mount: none below a layer whose root is opaque. overlayfs reads that mark on
// folders only, and passes it over on the root of a lower. `view` is that of the chain's layers.
std::vector<fs::path> shown_folders(const SnapshotChain& chain, const MergedView& view);

}  // namespace kiln
