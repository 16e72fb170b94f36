#pragma once

#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "base/log.hpp"
#include "builder/cli/words/arguments.hpp"
#include "builder/cli/words/build_context.hpp"
#include "builder/cli/words/definitions_source.hpp"
#include "builder/definitions/fleet.hpp"
#include "builder/definitions/image_names.hpp"
#include "builder/definitions/load_fleet.hpp"

namespace kiln::cli {

// Which targets of which fleet a command is about that looks at a fleet and builds nothing of it.
struct FleetWords {
  DefinitionWords definitions;
  std::vector<std::string> profiles;
  std::string registry;
};

void add_fleet_words(Arguments& command, FleetWords& words);

// A fleet, the targets of it that a command is about, and what their names are filled in with.
struct SelectedFleet {
  Fleet fleet;
  std::vector<const TargetSpec*> selected;  // of `fleet`
  NameValues naming;
  std::vector<TempDir> fetched;  // the folders of contexts that were fetched
};

// Warns of each target whose definition is broken, but for those that are asked for: these are refused.
void warn_of_broken(const Fleet& fleet, const std::vector<const TargetSpec*>& selected, Log& log);

// Loads a fleet, selects `options.wanted` for these profiles, as images that are published below `registry` ("": the
// fleet's), and fetches their contexts, for which kiln has to have one thread. The commit is asked of git only where a
// name holds it. What loading warns of goes to `log`, and images whose definitions are broken and that were not asked
// for. Those that were asked for are left to plan_fleet(), which tells them with the mistakes of Dockerfiles.
// Error{usage}.
SelectedFleet select_fleet(const LoadFleetOptions& options, const std::vector<std::string>& profiles,
                           const std::string& registry, MayFetch may_fetch, const CancelToken& cancel, Log& log);

}  // namespace kiln::cli
