#pragma once

#include <optional>
#include <string>
#include <vector>

#include "builder/definitions/fleet.hpp"
#include "builder/definitions/overrides.hpp"

namespace kiln {

struct LoadFleetOptions {
  fs::path working_directory;
  // -f: a bake file, a fleet.json, a folder with either, or a folder with images/fleet.json. nullopt: images/fleet.json
  // of the working directory, else its docker-bake.json.
  std::optional<fs::path> file;
  std::vector<std::string> set;  // --set, as given
  EnvironmentLookup environment;
};

// The one way from a command line to a Fleet: finds the definitions, loads them, applies --set. Error{usage}.
Fleet load_fleet(const LoadFleetOptions& options);

}  // namespace kiln
