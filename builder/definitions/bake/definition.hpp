#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "builder/definitions/bake/resolve.hpp"

namespace kiln::bake {

// Options of a Definition, with the folders that a target's paths are taken from.
struct DefinitionOptions {
  fs::path working_directory;  // of the command: "cwd://" and .env are taken from here
  // Definitions that were fetched: the folder of relative files, contexts and Dockerfiles.
  std::optional<fs::path> fetched_folder = std::nullopt;
  std::string fetched_url = {};          // the git repository that they are from
  bool has_file_relative_paths = false;  // contexts are relative to the file that says them
  ValueLookup environment;
  std::vector<std::string> files;      // in their order; "-" is standard input
  std::vector<std::string> variables;  // NAME=VALUE of --var: they go over the environment
  std::vector<std::string> set;        // --set
  bool reads_env_files = true;         // of Compose files: .env and those that they name
  // For files that are looked at, not built: the value of a variable that a Compose file asks for (`${NAME:?}`) and
  // nothing gives. Validations count for nothing then, and what kiln does not honour is left out with a warning of
  // bake_fleet(). Without it all of these are an Error.
  std::optional<std::string> needed_value = std::nullopt;

  AttributeFolders folders() const {
    return {fetched_folder.value_or(working_directory), working_directory, fetched_folder.has_value()};
  }
};

// Bake and Compose files, read, merged and evaluated by the rules of `docker buildx bake`: what each target says, and
// what the command line says over it.
class Definition {
 public:
  // Error{usage} with file, line and column.
  static Definition load(const DefinitionOptions& options);

  const BakeConfig& config() const noexcept { return config_; }
  const SetWords& set() const noexcept { return set_; }
  // What `--print` shows of the targets and groups that are asked for; none means "default".
  Selection select(const std::vector<std::string>& requested) const;
  // See Resolver.
  hcl::Place place_of(const std::string& target, std::string_view attribute) const {
    return Resolver(config_, set_).place_of(target, attribute);
  }

 private:
  Definition(BakeConfig config, SetWords set) : config_(std::move(config)), set_(std::move(set)) {}

  BakeConfig config_;
  SetWords set_;
  std::string source_date_epoch_;  // of the environment; empty: not set
  std::string fetched_url_;
};

// The files that buildx reads without -f, as far as the folder has them, in the order that they are merged in.
std::vector<std::string> default_files(const fs::path& folder);

// `--list`: "targets", "variables", and with "type=...,format=json" as JSON. Error{usage} for other words.
std::string list_config(const BakeConfig& config, const std::string& what);

}  // namespace kiln::bake
