#pragma once

#include <string>
#include <vector>

#include "builder/cli/build_session.hpp"
#include "builder/definitions/fleet.hpp"
#include "builder/plan/plan.hpp"

namespace kiln {

// Where a fleet's images go when they are published.
struct Publishing {
  std::string registry;  // --registry; empty: the fleet's
  std::string date;
  std::optional<std::string> git;
};

// A fleet's target with all that a plan needs of it: its Dockerfile read, the arguments of its profile and the fleet's
// settings in it, its names made.
TargetSpec complete_target(const Fleet& fleet, const TargetSpec& target, const Publishing& publishing);

// The plan of a fleet: of image definitions all of it, since any may be a parent; of a bake file the wanted targets and
// those that their contexts name. Children without a compression of their own get their parent's. Error{usage} for a
// GPU service whose profile its family's CUDA arch list does not serve.
Plan plan_fleet(const Fleet& fleet, const std::vector<const TargetSpec*>& wanted, const Publishing& publishing);
// Everything there is.
std::vector<const TargetSpec*> all_targets(const Fleet& fleet);

// How a fleet's images are built: image definitions reproducibly and by their lock, bake files as docker would.
SessionSettings fleet_session_settings(const Fleet& fleet, const std::string& ca_bundle);
// The shared caches of the targets: --cache-from and --cache-to where given, else those of fleet.json or the bake file.
// Kinds that kiln has not are refused, except in a bake file, where they cost a warning.
CacheSettings fleet_cache_settings(const Fleet& fleet, const std::vector<const TargetSpec*>& targets,
                                   const std::vector<std::string>& from, const std::vector<std::string>& to, Log& log);
// How a target's image is written: labels, and the values of its profile.
AssemblyOptions fleet_assembly_options(const TargetSpec& target, const TimePolicy& times);
ReportTargets fleet_report_targets(const Fleet& fleet);

}  // namespace kiln
