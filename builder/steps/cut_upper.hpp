#pragma once

#include <functional>
#include <string>
#include <vector>

#include "builder/layer/compression.hpp"
#include "builder/layer/layer.hpp"
#include "builder/layer/merged_view.hpp"
#include "builder/run/snapshot_store.hpp"
#include "builder/steps/layer_access.hpp"
#include "builder/steps/run_command.hpp"
#include "builder/steps/step.hpp"

namespace kiln {

// What a container wrote, and how it becomes layers.
struct UpperToCut {
  MergedView below;
  oci::Digest chain_id;  // of what is below
  LayerCutting cutting;
  Compression compression;
};

// What a cut tells while it goes on.
struct CutListener {
  std::function<void(const std::string&)> note;    // for people
  std::function<void(const std::string&)> detail;  // for those who look closely
  LayerMade layer;
};

// Cuts the upper folder of a RUN into layers along the packages that it installed (packages/layer_cut.hpp), with all
// times settled, and makes its files the snapshots of these layers. A layer that the store, a shared cache
// or the registry has already is neither compressed nor written (KnownLayers).
std::vector<LayerValue> cut_upper(LayerAccess& access, SnapshotUpper upper, const UpperToCut& what,
                                  const CutListener& say);

}  // namespace kiln
