#pragma once

#include "builder/definitions/compose/yaml.hpp"

namespace kiln::compose {

// Refuses a `build:` with an unknown key (with the nearest), or with a value of another form than its key takes, which
// would count for nothing. hcl::ValueError.
void check_build(const Node& build);

}  // namespace kiln::compose
