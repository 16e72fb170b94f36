#pragma once

#include "builder/definitions/bake/module.hpp"
#include "builder/definitions/compose/model.hpp"

namespace kiln::compose {

// The services of Compose files that have a `build:` as targets, and the group "default" of all of them, as buildx
// makes them. A name's dots become underscores. Error{usage} with the place.
void add_compose_targets(std::vector<ComposeFile> files, const ComposeOptions& options, bake::BakeConfig& config);

}  // namespace kiln::compose
