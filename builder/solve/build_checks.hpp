#pragma once

#include <set>

#include "builder/plan/plan.hpp"
#include "builder/solve/base_source.hpp"
#include "builder/steps/events.hpp"

namespace kiln {

// BuildKit's lint rules as a build looks at them: what they find in a Dockerfile is told as warnings, and is an error
// where the file says `# check=error=true`. Unlike `kiln check` a build looks into the stages only that it needs, and
// knows its base images: which variables they set, and which platform they have.

// Whether findings fail the build of this target, so that they must be known before its first step.
bool findings_are_errors(const PlannedTarget& target);

// Looks at one target; a warning stands once in `told`, which targets of one Dockerfile share. Base images are asked
// for as the build itself does, so that each is resolved once; of one that cannot be had nothing is reported, since the
// build fails there. Error{build} where findings are errors.
void check_target(const PlannedTarget& target, BaseSource& bases, BuildObserver& observer, std::set<std::string>& told);

}  // namespace kiln
