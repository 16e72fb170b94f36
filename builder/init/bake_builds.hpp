#pragma once

#include "builder/init/found_build.hpp"
#include "builder/init/repository_walk.hpp"

namespace kiln::init {

// The builds that the bake and Compose files say. They are read without the environment and without .env, so that
// nothing of what these hold gets into a file: a variable that a file demands is unknown, and arguments that hang on
// one are left out by name.
FoundBuilds bake_builds(const RepositoryFiles& files);

}  // namespace kiln::init
