#include "builder/cli/selected_fleet.hpp"

#include "base/clock.hpp"
#include "builder/cli/fetched_contexts.hpp"
#include "builder/definitions/select.hpp"

namespace kiln::cli {

SelectedFleet select_fleet(const LoadFleetOptions& options, const std::vector<std::string>& profiles,
                           const std::string& registry, MayFetch may_fetch, const CancelToken& cancel, Log& log) {
  SelectedFleet result;
  result.fleet = load_fleet(options);
  for (const std::string& warning : result.fleet.warnings) log.warn(warning);
  result.selected = select_targets(result.fleet, options.wanted, profiles);
  result.fetched = fetch_contexts(result.fleet, result.selected, options.fetched_folder, may_fetch, cancel);
  result.naming = {registry, date_for_tags(now_unix_seconds()), std::nullopt};
  if (uses_git(result.selected)) result.naming.git = git_commit_of(result.fleet.folder, cancel, log);
  return result;
}

}  // namespace kiln::cli
