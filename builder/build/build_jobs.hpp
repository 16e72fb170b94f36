#pragma once

#include <string>
#include <vector>

#include "builder/build/build_request.hpp"
#include "builder/plan/plan.hpp"

namespace kiln {

// A wanted target: its numbers in the plan, one for each platform, and where its images go under which names.
struct BuildJob {
  std::vector<std::size_t> numbers;
  std::vector<Output> outputs;
  std::vector<std::string> names;
  bool is_part = false;  // one of several platforms, pushed for the index that another build makes
};

// The jobs of a request, in the order of its targets. Error{usage} as outputs_of() says, for a target that has not the
// platform that is asked for alone, and for parts that cannot be pushed: in two forms they would have one tag.
std::vector<BuildJob> jobs_of(const BuildRequest& request, const Plan& plan);

// Whether any output of the jobs is a push.
bool push_anything(const std::vector<BuildJob>& jobs);

// The form that an image of a fleet has at registries under the tag of its inputs.
Output last_image_output(const TargetSpec& target, std::size_t platforms);

}  // namespace kiln
