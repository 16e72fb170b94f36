#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "builder/definitions/compose/interpolation.hpp"
#include "builder/definitions/compose/yaml.hpp"

namespace kiln::compose {

struct ComposeText {
  std::string name;  // as messages show it
  std::string text;
  fs::path folder;  // what the paths of `extends` and `include` are taken from
};

struct ComposeOptions {
  fs::path working_directory;  // where .env is looked for
  Lookup environment;
  std::map<std::string, std::string> given;  // goes over the environment
  // Where the files were fetched: what they include and extend is in this folder.
  std::optional<fs::path> fetched_folder = std::nullopt;
};

// The variables of a Compose project: the environment, the .env file beside it for what the environment does not say,
// and over both what is given. Error{usage} for a .env that cannot be read.
Lookup project_variables(const ComposeOptions& options);

// Compose files merged in their order, with variables put in, `include` and `extends` followed, and `!reset` done: one
// tree whose `services` have what they extend. Paths of files that lie elsewhere are prefixed by their folder.
// Error{usage} with file and line, for what leads back to itself too, and out of `inside` where that is given.
// `unset` is as for interpolate().
Node load_model(const std::vector<ComposeText>& files, const Lookup& variables,
                const std::optional<fs::path>& inside = std::nullopt, std::set<std::string>* unset = nullptr);

// The override file that Compose reads beside `file` by itself, as long as no -f names another one: Compose looks for
// it only where `file` has one of the names that it reads by itself. nullopt: there is none.
std::optional<fs::path> automatic_override(const fs::path& file);

}  // namespace kiln::compose
