#pragma once

#include "builder/definitions/bake/definition.hpp"

namespace kiln::bake {

// Refuses what `docker buildx bake --print` refuses of a target, though nothing is built: a context or Dockerfile from
// standard input, platforms, sizes, limits, annotations and outputs that mean nothing. What buildx takes and kiln
// cannot build passes. `selection` is the definition's. Error{usage} with the place, the target and the attribute.
void check_printed(const Definition& definition, const Selection& selection);

}  // namespace kiln::bake
