#pragma once

#include <cstddef>
#include <string>

#include "builder/dockerfile/ast.hpp"

namespace kiln::dockerfile {

// What a stage is called in messages, records and reports: as its FROM says, else "stage-N" by its number from 0, as
// BuildKit has it. Only the former can be named by other instructions.
inline std::string display_name(const Dockerfile& dockerfile, std::size_t stage) {
  const std::string& name = dockerfile.stages[stage].name;
  return name.empty() ? "stage-" + std::to_string(stage) : name;
}

}  // namespace kiln::dockerfile
