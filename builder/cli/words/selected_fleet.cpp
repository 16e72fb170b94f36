#include "builder/cli/words/selected_fleet.hpp"

#include <fmt/format.h>

#include <algorithm>

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

void warn_of_broken(const Fleet& fleet, const std::vector<const TargetSpec*>& selected, Log& log) {
  for (const TargetSpec& target : fleet.targets) {
    const bool is_selected = std::find(selected.begin(), selected.end(), &target) != selected.end();
    if (target.problems.empty() || is_selected) continue;
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
  // What a bake file asks for in vain is told before anything is fetched.
  if (result.fleet.front_end == FrontEnd::bake_file) refuse_problems(result.selected);
  warn_of_broken(result.fleet, result.selected, log);
  std::vector<const TargetSpec*> whole = result.selected;
  std::erase_if(whole, [](const TargetSpec* target) { return !target->problems.empty(); });
  std::optional<FetchedDefinitions> fetched;
  if (options.fetched_folder) fetched = {*options.fetched_folder, options.working_directory};
  result.fetched = fetch_contexts(result.fleet, whole, fetched, may_fetch, cancel);
  result.naming = {registry, date_for_tags(now_unix_seconds()), std::nullopt};
  if (uses_git(whole)) result.naming.git = git_commit_of(result.fleet.folder, cancel, log);
  return result;
}

}  // namespace kiln::cli
