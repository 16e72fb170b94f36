#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "builder/definitions/compose/interpolation.hpp"
#include "builder/definitions/compose/yaml.hpp"

namespace kiln::compose {

// A Compose file as it is written.
struct ComposeFile {
  std::shared_ptr<const hcl::Source> source;
  std::vector<Node> documents;
};

// Error{usage} with the place. `name` is the file as messages show it.
ComposeFile parse_compose_file(std::string name, std::string text);

struct ComposeOptions {
  fs::path working_directory;  // of the project: what its files name is taken from here, and .env is looked for here
  Lookup environment;
  std::map<std::string, std::string> given;  // goes over the environment
  // Where the files were fetched: what they include, extend and read is in this folder.
  std::optional<fs::path> fetched_folder = std::nullopt;
  std::string project_name = "bake";  // COMPOSE_PROJECT_NAME where neither the environment nor a file's `name` says it
  bool reads_env_files = true;        // .env, and those that `include` and `env_file` name
  // The value of a variable that `${NAME:?}` asks for and nothing gives; without it that is an Error.
  std::optional<std::string> needed_value = std::nullopt;

  fs::path base() const { return fetched_folder.value_or(working_directory); }
};

// The variables of a Compose project: the environment, the .env file beside it for what the environment does not say,
// and over both what is given; and the project's name. Error{usage} for a .env that cannot be read.
Lookup project_variables(const ComposeOptions& options, const std::vector<ComposeFile>& files);

// What Compose files come to.
struct Model {
  Node root;
  std::vector<std::shared_ptr<const hcl::Source>> sources;  // what its places point into
};

// Compose files merged in their order, with variables put in, `include` and `extends` followed, and `!reset` done: one
// tree whose `services` have what they extend. A file's further documents are merged as further files are, only that
// `extends` sees no other document's services. Paths that an included or extended file says are prefixed by its
// folder. Error{usage} with the place, for what leads back to itself too, and for what leads out of the folder
// that the files were fetched to. The names that count as empty are added to `unset`.
Model load_model(std::vector<ComposeFile> files, const ComposeOptions& options, const Lookup& variables,
                 std::set<std::string>* unset = nullptr);

// The text of a file that a project names, of at most 4 MiB. Error{usage} for one that cannot be read, and for one that
// leads out of the folder that the project was fetched to.
std::string read_project_file(const fs::path& file, const ComposeOptions& options);

// A path of a Compose file with `~` at its front put in: the home folder that the environment says. Files that were
// fetched name nothing there.
std::string in_home(const std::string& path, const ComposeOptions& options);

// The override file that Compose reads beside `file` by itself, as long as no -f names another one: Compose looks for
// it only where `file` has one of the names that it reads by itself. nullopt: there is none.
std::optional<fs::path> automatic_override(const fs::path& file);

}  // namespace kiln::compose
