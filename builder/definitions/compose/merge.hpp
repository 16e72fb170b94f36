#pragma once

#include <string>

#include "builder/definitions/compose/yaml.hpp"

namespace kiln::compose {

// A Compose file over another one, or a service over the one that it extends: mappings by key, lists one behind the
// other without repeats, KEY=VALUE lists by key, `!override` and `!reset` as the specification says. `path` is where
// both stand, "services.NAME.build". Error{usage} where a mapping meets something else.
Node merged(Node below, const Node& over, const std::string& path);

// The path of a service; a dot in its name is none that parts a path.
std::string service_path(std::string name);

// What has the tag `!reset` is taken away.
void apply_resets(Node& node);

}  // namespace kiln::compose
