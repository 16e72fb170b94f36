#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "builder/steps/copy_plan.hpp"
#include "builder/steps/layer_access.hpp"
#include "builder/steps/step.hpp"

namespace kiln {

// A COPY, ADD or WORKDIR with its entries decided.
struct CopyWork {
  StepKind kind = StepKind::copy;
  CopyPlan plan;
  std::vector<std::shared_ptr<CopySource>> sources;  // what the plan refers to: they live as long as the step
  std::vector<RawInput> inputs;                      // of the instruction; the entries come by themselves
  std::optional<UnixSeconds> epoch;                  // every time is this one; nullopt: as the sources have them
  Compression compression;                           // of the layer; not part of the key
  ImageLayers below;
  // Where a RUN that needs the layer's files is to follow: what is done for it beforehand, when the copy is executed.
  std::function<void()> prepare_run;
};

// The work as a step: kind, key, inputs and what executes it. Hashes what no one hashed yet.
Step copy_step(CopyWork work, LayerAccess& layers);

}  // namespace kiln
