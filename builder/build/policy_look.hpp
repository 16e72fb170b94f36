#pragma once

#include <vector>

#include "builder/build/build_request.hpp"
#include "builder/policy/finding.hpp"

namespace kiln {

// What of its fleet's policy a request breaks before anything is built: nothing is built, locked, named or recorded.
// Error{usage} for definitions that cannot be planned.
std::vector<PolicyFinding> look_at_policy(const BuildRequest& request, const BuildSurroundings& surroundings);

}  // namespace kiln
