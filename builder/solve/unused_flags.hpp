#pragma once

#include <string>
#include <vector>

#include "builder/dockerfile/ast.hpp"

namespace kiln {

// What flags of a Dockerfile's instructions say and nothing comes of, though docker takes them: options that a
// --mount's type has no use for, --keep-git-dir of sources that are no git repositories, times of HEALTHCHECK NONE. One
// sentence each, with file and line.
std::vector<std::string> unused_flags(const dockerfile::Dockerfile& dockerfile);

}  // namespace kiln
