#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "base/temp_dir.hpp"
#include "builder/definitions/load_fleet.hpp"

namespace kiln::cli {

// What a command's words say of where a fleet's definitions are.
struct DefinitionWords {
  std::vector<std::string> targets;  // the first may be the git repository that holds the definitions
  std::vector<std::string> files;
  std::vector<std::string> variables;
  std::vector<std::string> set;
};

// Options to load the definitions by, and the folder of those that were fetched.
struct DefinitionsSource {
  LoadFleetOptions options;
  std::optional<TempDir> fetched;
};

// With what buildx takes from the environment: BUILDX_BAKE_FILE where no file is named, BUILDX_BAKE_PATH_SEPARATOR,
// BUILDX_BAKE_FILE_RELATIVE_PATHS, BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP, BUILDX_BAKE_GIT_AUTH_TOKEN and _HEADER. Call it
// while kiln has one thread. Error{usage} for a URL that is no git repository, Error{network} where it is not reached.
DefinitionsSource find_definitions(const DefinitionWords& words, const CancelToken& cancel);

}  // namespace kiln::cli
