#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "builder/build/build_request.hpp"
#include "builder/definitions/fleet.hpp"
#include "builder/definitions/image_names.hpp"
#include "builder/plan/plan.hpp"
#include "builder/solve/target_inputs.hpp"

namespace kiln {

// A fleet's target with all that a plan needs of it: its Dockerfile read, the arguments of its profile and the fleet's
// settings in it, its names made.
TargetSpec complete_target(const Fleet& fleet, const TargetSpec& target, const NameValues& naming);

// The plan of a fleet: of image definitions all of it, since any may be a parent; else of the wanted targets and those
// that their contexts name. A target of several platforms is in it once for each. Children without a compression of
// their own get their parent's. Error{usage} for a GPU service whose profile its family's CUDA arch list does not
// serve.
Plan plan_fleet(const Fleet& fleet, const std::vector<const TargetSpec*>& wanted, const NameValues& naming);
// The wanted targets of a bake file and, over and over, those that their contexts name; in the fleet's order.
std::vector<const TargetSpec*> with_linked_targets(const Fleet& fleet, const std::vector<const TargetSpec*>& wanted);

// SOURCE_DATE_EPOCH of the environment, or of a build arg, which wins; Error{usage} where it is no number.
std::optional<UnixSeconds> source_date_epoch(const std::map<std::string, std::string>& build_args);

// How a fleet's images are built: image definitions reproducibly and by their lock, others as docker would.
BuildSettings fleet_build_settings(const Fleet& fleet, const std::string& ca_bundle);
// Fits the settings to `offline`: caches that are elsewhere are left out. Error{usage} for --pull beside it.
void apply_offline(BuildSettings& settings, Log& log);

// The shared caches of the targets: --cache-from and --cache-to where given, else those of fleet.json or the bake file.
// Kinds that kiln has not are refused, except in a bake file, where they cost a warning.
struct GivenCaches {
  std::vector<std::string> from;
  std::vector<std::string> to;
};
CacheSettings fleet_cache_settings(const Fleet& fleet, const std::vector<const TargetSpec*>& targets,
                                   const GivenCaches& given, Log& log);

// How a target's image is written for an output: labels, and the values of its profile.
AssemblyOptions assembly_options(const TargetSpec& target, const Output& output, const TimePolicy& times);
ReportTargets fleet_goals(const Fleet& fleet);

// The inputs of a fleet's targets as a build with these settings would have them; in the plan's numbers.
std::vector<TargetInputs> fleet_inputs(const Plan& plan, const std::set<std::size_t>& wanted,
                                       const BuildSettings& settings, const BuildSurroundings& surroundings);

}  // namespace kiln
