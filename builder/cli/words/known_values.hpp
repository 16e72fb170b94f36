#pragma once

#include "builder/cli/words/completion.hpp"

namespace kiln::cli {

// What is there for a value to name: targets, groups, images and profiles of the fleet that -f or this folder has, its
// releases by their records, images of the store. It reads and never fetches; where something cannot be read there are
// no values.
std::optional<std::vector<std::string>> known_values(const AskedValue& asked);

}  // namespace kiln::cli
