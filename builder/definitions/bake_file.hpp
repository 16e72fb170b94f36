#pragma once

#include "builder/definitions/bake/definition.hpp"
#include "builder/definitions/fleet.hpp"

namespace kiln {

// The fleet of bake and Compose files (see docs/bake.md for what is taken). Of what is wanted every target has to be
// one that kiln can build; another one that cannot is left out, so that it stops those only that need it.
//
// Error{usage} with file, line and column for what cannot be evaluated.
Fleet bake_fleet(const bake::Definition& definition, const bake::DefinitionOptions& options,
                 const std::vector<std::string>& wanted);

}  // namespace kiln
