#pragma once

#include <string>

#include "builder/definitions/bake/attribute_values.hpp"

namespace kiln::bake {

// Refuses what `docker buildx bake --print` refuses of a target, though nothing is built: a context or Dockerfile from
// standard input, platforms, sizes, limits, annotations and outputs that mean nothing. What buildx takes and kiln
// cannot build passes. Error{usage} with the target and the attribute.
void check_printed(const std::string& name, const AttributeValues& values);

}  // namespace kiln::bake
