#pragma once

#include <string>
#include <vector>

#include "builder/plan/plan.hpp"

namespace kiln {

// What a target was given and its Dockerfile asks for nowhere: build args that no ARG declares, contexts that no
// instruction names, stages of no-cache-filter that are none, secrets and SSH agents that no RUN mounts. One sentence
// each, which holds no value. `triggers` are the ONBUILD instructions of its base images. What kiln or BuildKit read
// themselves counts as used, and so do a profile's build args.
std::vector<std::string> unused_inputs(const PlannedTarget& target, const std::vector<std::string>& triggers);

}  // namespace kiln
