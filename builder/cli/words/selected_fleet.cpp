#include "builder/cli/words/selected_fleet.hpp"

#include <fmt/format.h>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "builder/cli/words/fetched_contexts.hpp"
#include "builder/definitions/select.hpp"

namespace kiln::cli {

void add_fleet_words(Arguments& command, FleetWords& words) {
  DefinitionWords& definitions = words.definitions;
  command.positional("TARGET", definitions.targets, "targets, images or groups (default: the group 'default')")
      .option("-f,--file", definitions.files, "fleet.json, its folder, or bake and Compose files")
      .option("--var", definitions.variables, "NAME=VALUE of a variable of bake files")
      .option("--profile", words.profiles, "for this machine profile only")
      .option("--registry", words.registry, "HOST[:PORT]/NAMESPACE to name images under")
      .option("--set", definitions.set, "TARGET.KEY=VALUE over the definition");
}

void warn_of_broken(const Fleet& fleet, Log& log) {
  for (const TargetSpec& target : fleet.targets) {
    if (target.problems.empty()) continue;
    log.warn(fmt::format("'{}' is left out, and what is built from it: {}", printable(target.name),
                         join(target.problems, "; ")));
  }
}

SelectedFleet select_fleet(const LoadFleetOptions& options, const std::vector<std::string>& profiles,
                           const std::string& registry, MayFetch may_fetch, const CancelToken& cancel, Log& log) {
  SelectedFleet result;
  LoadFleetOptions load = options;
  load.broken = BrokenImages::set_aside;
  result.fleet = load_fleet(load);
  for (const std::string& warning : result.fleet.warnings) log.warn(warning);
  result.selected = select_targets(result.fleet, options.wanted, profiles);
  refuse_problems(result.selected);
  warn_of_broken(result.fleet, log);
  std::optional<FetchedDefinitions> fetched;
  if (options.fetched_folder) fetched = {*options.fetched_folder, options.working_directory};
  result.fetched = fetch_contexts(result.fleet, result.selected, fetched, may_fetch, cancel);
  result.naming = {registry, date_for_tags(now_unix_seconds()), std::nullopt};
  if (uses_git(result.selected)) result.naming.git = git_commit_of(result.fleet.folder, cancel, log);
  return result;
}

}  // namespace kiln::cli
