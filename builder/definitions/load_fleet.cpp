#include "builder/definitions/load_fleet.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/paths.hpp"
#include "base/text.hpp"
#include "builder/definitions/bake_file.hpp"
#include "builder/definitions/definitions.hpp"
#include "builder/definitions/fleet_settings.hpp"
#include "builder/definitions/json_source.hpp"
#include "builder/definitions/schema.hpp"

namespace kiln {

namespace {

constexpr const char* kFleetFile = "fleet.json";

// fleet.json of a folder or of its images/; nullopt where the folder has none.
std::optional<fs::path> fleet_file_in(const fs::path& folder) {
  if (fs::exists(folder / kFleetFile)) return folder / kFleetFile;
  if (fs::exists(folder / "images" / kFleetFile)) return folder / "images" / kFleetFile;
  return std::nullopt;
}

void refuse_elsewhere(const fs::path& path, const fs::path& repository) {
  if (is_inside(path.lexically_normal(), repository.lexically_normal()) && !leads_out(path, repository)) return;
  throw Error(Category::usage, fmt::format("'{}' leads out of the repository it is taken from",
                                           printable(path.lexically_relative(repository).native())));
}

// Definitions of a repository that are files of this machine, by their place or by a link.
void refuse_definitions_elsewhere(const fs::path& file, const fs::path& repository) {
  refuse_elsewhere(file, repository);
  for (const std::string& name : list_directory(file.parent_path()))
    refuse_elsewhere(file.parent_path() / name / "image.json", repository);
  const JsonSource source = JsonSource::read(file);
  const FleetSettings settings = read_fleet_settings(source, source.parse(fleet_schema()));
  refuse_elsewhere(settings.lock_file, repository);
  if (settings.ca_bundle.starts_with('/')) refuse_elsewhere(settings.ca_bundle, repository);
  if (settings.policy.base_signature) {
    for (const std::string& key : settings.policy.base_signature->keys) {
      if (key.starts_with('/')) refuse_elsewhere(key, repository);
    }
  }
  refuse_elsewhere(settings.profiles_folder, repository);
  if (!fs::is_directory(settings.profiles_folder)) return;
  for (const std::string& name : list_directory(settings.profiles_folder))
    refuse_elsewhere(settings.profiles_folder / name, repository);
}

Fleet load_image_definitions(const fs::path& file, const LoadFleetOptions& options) {
  if (!options.more_files.empty() || !options.variables.empty()) {
    throw Error(Category::usage,
                fmt::format("'{}' holds image definitions: further files and --var belong to bake files",
                            printable(display_path(file))));
  }
  if (options.fetched_folder) refuse_definitions_elsewhere(file, *options.fetched_folder);
  Fleet fleet = load_definitions(file.lexically_normal().parent_path(), options.broken);
  bake::TargetNames names;
  for (const TargetSpec& target : fleet.targets) {
    names.emplace(target.name, target.name);
    if (target.image != target.name) names.emplace(target.image, target.name);
  }
  const bake::SetWords words(options.set, names, options.environment);
  fleet.warnings.insert(fleet.warnings.end(), words.warnings().begin(), words.warnings().end());
  bake::set_in_targets(words, fleet.targets, options.working_directory);
  return fleet;
}

// Where the definitions are: a fleet.json, or bake and Compose files.
struct Found {
  std::optional<fs::path> fleet_file;
  bake::DefinitionOptions bake;
};

Found find_definitions(const LoadFleetOptions& options) {
  Found found;
  found.bake.working_directory = options.working_directory;
  found.bake.fetched_folder = options.fetched_folder;
  found.bake.fetched_url = options.fetched_url;
  found.bake.has_file_relative_paths = options.has_file_relative_paths;
  found.bake.environment = options.environment;
  found.bake.variables = options.variables;
  found.bake.set = options.set;
  std::vector<std::string>& files = found.bake.files;
  const std::string first = options.file ? options.file->string() : "";
  const fs::path given = found.bake.folders().base / first;
  if (first == "-" || first.starts_with("cwd://")) {
    files.push_back(first);
  } else if (fs::is_directory(given)) {
    found.fleet_file = fleet_file_in(given);
    for (const std::string& name : bake::default_files(given)) files.push_back((fs::path(first) / name).string());
  } else if (!fs::exists(given)) {
    throw Error(Category::usage, fmt::format("there is no file '{}'", printable(first)));
  } else if (given.filename() == kFleetFile) {
    found.fleet_file = given;
  } else {
    files.push_back(first);
  }
  files.insert(files.end(), options.more_files.begin(), options.more_files.end());
  if (options.fetched_folder && !found.fleet_file) {
    const auto is_fetched = [](const std::string& name) { return !name.starts_with(bake::kCallerScheme); };
    const auto own = std::stable_partition(files.begin(), files.end(), is_fetched);
    if (own == files.begin()) {
      const std::vector<std::string> names = bake::default_files(*options.fetched_folder);
      files.insert(files.begin(), names.begin(), names.end());
    }
  }
  if (!found.fleet_file && files.empty()) {
    throw Error(Category::usage,
                fmt::format("'{}' holds no images/fleet.json and no docker-bake.hcl, docker-bake.json or compose.yaml; "
                            "name one by -f",
                            printable(first.empty() ? given.parent_path().string() : first)));
  }
  return found;
}

}  // namespace

std::optional<bake::Definition> load_bake_definition(const LoadFleetOptions& options) {
  const Found found = find_definitions(options);
  if (found.fleet_file) return std::nullopt;
  return bake::Definition::load(found.bake);
}

Fleet load_fleet(const LoadFleetOptions& options) {
  const Found found = find_definitions(options);
  if (found.fleet_file) return load_image_definitions(*found.fleet_file, options);
  return bake_fleet(bake::Definition::load(found.bake), found.bake, options.wanted);
}

}  // namespace kiln
