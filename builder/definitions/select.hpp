#pragma once

#include <string>
#include <vector>

#include "builder/definitions/fleet.hpp"

namespace kiln {

// The targets that a command line names: targets, groups, images (all their profiles) or globs over them; none means
// "default". With profiles given, only targets of these and those without a profile; a name that then has no target is
// an error. Sorted as in the fleet, each once.
//
// Error{usage} with the nearest name for an unknown target or profile, and for a group that contains itself.
std::vector<const TargetSpec*> select_targets(const Fleet& fleet, const std::vector<std::string>& names,
                                              const std::vector<std::string>& profiles);

// Shell globs as Go's path.Match reads them: *, ?, [a-z], [^a], \x. Names hold no '/'. Error{usage}: a malformed one.
bool matches_glob(std::string_view pattern, std::string_view name);

}  // namespace kiln
