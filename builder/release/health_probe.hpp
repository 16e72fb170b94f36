#pragma once

#include <optional>
#include <string>

#include "base/cancel.hpp"
#include "builder/release/rollback_plan.hpp"

namespace kiln {

// Asks once a second until the check succeeds (nullopt) or its time is over: what the last attempt said. A URL succeeds
// by a 2xx answer (redirects are not followed), a command by exit code 0; an attempt that is still under way when the
// time is over is ended. Error{cancelled} soon after `cancel` fires, Error{usage} for what is no URL.
std::optional<std::string> probe_health(const HealthCheck& check, const CancelToken& cancel);

}  // namespace kiln
