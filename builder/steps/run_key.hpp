#pragma once

#include <string>
#include <vector>

#include "builder/cache/step_record.hpp"
#include "builder/steps/image_layers.hpp"
#include "builder/steps/run_command.hpp"

namespace kiln {

// What a step is looked up by, and the inputs that explain a miss.
struct StepIdentity {
  std::string key;
  std::vector<RawInput> inputs;
};

// Of a RUN on these layers. Reads what its mounts select, runs nothing. Error{usage} for a RUN that the settings do not
// allow, Error{build} for a mount of what is not there.
StepIdentity run_identity(const RunCommand& command, const ImageLayers& below, const RunSettings& settings);

}  // namespace kiln
