#pragma once

#include <optional>
#include <string>
#include <vector>

#include "builder/definitions/bake/definition.hpp"
#include "builder/definitions/definitions.hpp"
#include "builder/definitions/fleet.hpp"

namespace kiln {

struct LoadFleetOptions {
  fs::path working_directory;
  // Definitions that were fetched, in this folder; -f names files in it, "cwd://" those of the working directory. The
  // former come first, and where there are none of them the files that buildx reads without -f.
  std::optional<fs::path> fetched_folder;
  std::string fetched_url;               // the git repository that they are from
  bool has_file_relative_paths = false;  // contexts of bake files are relative to the file that says them
  // -f: a bake or Compose file, a fleet.json, a folder with either, or a folder with images/fleet.json. nullopt:
  // images/fleet.json of the working directory, else the files that buildx reads without -f.
  std::optional<fs::path> file;
  std::vector<std::string> more_files;  // bake and Compose files behind it: -f again
  std::vector<std::string> variables;   // --var, as given
  std::vector<std::string> set;         // --set, as given
  std::vector<std::string> wanted;      // the targets that are asked for; empty: "default"
  bake::ValueLookup environment;
  BrokenImages broken = BrokenImages::refused;  // of image definitions
};

// What bake files say in their own words, for --print and --list; nullopt where there are image definitions.
// Error{usage}.
std::optional<bake::Definition> load_bake_definition(const LoadFleetOptions& options);

// The one way from a command line to a Fleet: finds the definitions, loads them, applies --set. Error{usage}.
Fleet load_fleet(const LoadFleetOptions& options);

}  // namespace kiln
