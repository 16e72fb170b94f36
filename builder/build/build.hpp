#pragma once

#include <optional>
#include <set>
#include <vector>

#include "builder/build/build_request.hpp"
#include "builder/plan/forecast.hpp"

namespace kiln {

// Builds the wanted targets of a fleet: plan, solve, assemble, deliver, record. The order of delivery is that of
// delivery.hpp, whatever asked for the build. The record is kept of a build that failed too.
//
// Error{usage} before anything is built for outputs, names and pins that cannot be.
BuildResult build(const BuildRequest& request, const BuildSurroundings& surroundings);

// The same with a plan that the caller has made already by plan_request().
BuildResult build(const BuildRequest& request, Plan plan, const BuildSurroundings& surroundings);

// What the same request would do, as far as the caches tell; nothing is executed, named or recorded.
Forecast look_up(const BuildRequest& request, const BuildSurroundings& surroundings);

// The plan of a request.
Plan plan_request(const BuildRequest& request);

// The numbers in a plan that a target's name has: one for each of its platforms, in their order.
std::vector<std::size_t> numbers_of(const Plan& plan, const std::string& target);
// Those of one target that a request wants, and of all.
std::vector<std::size_t> wanted_of(const Plan& plan, const BuildRequest& request, const std::string& target);
std::vector<std::size_t> wanted_of(const Plan& plan, const BuildRequest& request);

}  // namespace kiln
