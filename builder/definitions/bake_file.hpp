#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/definitions/fleet.hpp"
#include "builder/definitions/overrides.hpp"

namespace kiln {

struct BakeFileOptions {
  // What relative contexts are taken from: as in buildx not the file's folder but where the command was started.
  fs::path working_directory;
  // The value of an environment variable; it goes over a variable's default.
  EnvironmentLookup environment;
  // As in buildx they apply to a target before others inherit from it.
  std::vector<Override> overrides;
};

// Reads a docker-bake.json (docs.docker.com/build/bake/reference): group, target (all attributes that kiln honours,
// inherits, matrix with name), variable, and ${VAR} and ${item.key} in every string; `$${` means `${`. One target
// per combination of a matrix, and a group of the name that was written.
//
// Error{usage} "FILE:LINE: ..." for an unknown attribute, variable, target (each with the nearest), an `inherits` or
// `target:` that leads back, a function or operator inside ${} (by name), an attribute that kiln does not honour (with
// the reason), and a .hcl file (answered with the command that makes JSON of it).
Fleet load_bake_file(const fs::path& file, const BakeFileOptions& options);

}  // namespace kiln
