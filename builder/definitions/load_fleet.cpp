#include "builder/definitions/load_fleet.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/definitions/bake_file.hpp"
#include "builder/definitions/definitions.hpp"
#include "builder/definitions/json_source.hpp"

namespace kiln {

namespace {

constexpr const char* kFleetFile = "fleet.json";
constexpr const char* kBakeFile = "docker-bake.json";

// fleet.json's folder or a bake file; nullopt where the folder has neither.
std::optional<fs::path> definitions_in(const fs::path& folder) {
  if (fs::exists(folder / kFleetFile)) return folder / kFleetFile;
  if (fs::exists(folder / "images" / kFleetFile)) return folder / "images" / kFleetFile;
  if (fs::exists(folder / kBakeFile)) return folder / kBakeFile;
  for (const char* name : {"docker-bake.hcl", "docker-bake.override.hcl"}) {
    if (fs::exists(folder / name)) return folder / name;
  }
  return std::nullopt;
}

fs::path find_definitions(const LoadFleetOptions& options) {
  const fs::path given = options.file ? options.working_directory / *options.file : options.working_directory;
  if (fs::is_directory(given)) {
    if (auto found = definitions_in(given)) return *found;
    throw Error(Category::usage, fmt::format("'{}' holds no images/fleet.json and no docker-bake.json; name one by -f",
                                             printable(options.file ? options.file->string() : given.string())));
  }
  if (!fs::exists(given)) {
    throw Error(Category::usage, fmt::format("there is no file '{}'", printable(options.file->string())));
  }
  return given;
}

}  // namespace

Fleet load_fleet(const LoadFleetOptions& options) {
  const fs::path file = find_definitions(options).lexically_normal();
  std::vector<Override> overrides;
  for (const std::string& text : options.set) {
    if (auto override = parse_override(text, options.environment)) overrides.push_back(std::move(*override));
  }
  if (file.filename() == kFleetFile) {
    Fleet fleet = load_definitions(file.parent_path());
    override_targets(fleet.targets, overrides, options.working_directory);
    return fleet;
  }
  return load_bake_file(file, {options.working_directory, options.environment, std::move(overrides)});
}

}  // namespace kiln
