#include "builder/run/shown_folders.hpp"

namespace kiln {

std::vector<fs::path> shown_folders(const SnapshotChain& chain, const MergedView& view) {
  std::size_t lowest = view.layers().size();
  while (lowest > 0 && !view.layers()[lowest - 1]->is_opaque("")) --lowest;
  if (lowest > 0) --lowest;
  return {chain.folders().begin() + static_cast<std::ptrdiff_t>(lowest), chain.folders().end()};
}

}  // namespace kiln
