#pragma once

#include "builder/init/found_build.hpp"
#include "builder/init/repository_walk.hpp"

namespace kiln::init {

// The builds of GitHub workflows: docker/build-push-action and `docker build` in `run`. Expressions are put in as far
// as the file itself says them: `env`, each combination of a matrix, the names of docker/metadata-action, and
// github.repository, which is `repository` ("acme/shop"; empty: not known).
FoundBuilds workflow_builds(const RepositoryFiles& files, const std::string& repository);

}  // namespace kiln::init
