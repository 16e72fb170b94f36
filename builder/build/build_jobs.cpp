#include "builder/build/build_jobs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "builder/build/build.hpp"
#include "builder/build/delivery.hpp"

namespace kiln {

namespace {

// A part is pushed by its digest into the repositories of the image; its tag comes last, as that of inputs does.
void make_part(BuildJob& job, const TargetSpec& target) {
  std::size_t pushes = 0;
  for (Output& output : job.outputs) {
    if (!output.push) continue;
    ++pushes;
    std::vector<std::string> repositories;
    for (const std::string& name : names_at(output, target.names)) {
      const std::string repository = oci::Reference::parse(name).name();
      if (std::find(repositories.begin(), repositories.end(), repository) == repositories.end())
        repositories.push_back(repository);
    }
    output.names = std::move(repositories);
    output.push_by_digest = true;
  }
  if (pushes > 1) {
    throw Error(Category::usage,
                fmt::format("target '{}' is pushed in {} forms, and its platforms can be pushed apart in one only",
                            target.name, pushes));
  }
  job.is_part = pushes == 1;
  if (job.is_part) job.names.clear();
}

}  // namespace

std::vector<BuildJob> jobs_of(const BuildRequest& request, const Plan& plan) {
  std::vector<BuildJob> jobs;
  for (const std::string& name : request.targets) {
    BuildJob& job = jobs.emplace_back();
    const std::size_t platforms = numbers_of(plan, name).size();
    job.numbers = wanted_of(plan, request, name);
    const TargetSpec& target = plan.targets[job.numbers.front()]->target;
    job.outputs = outputs_of(target, request.delivery, platforms);
    job.names = target.names;
    if (job.numbers.size() < platforms) make_part(job, target);
  }
  return jobs;
}

bool push_anything(const std::vector<BuildJob>& jobs) {
  return std::any_of(jobs.begin(), jobs.end(), [](const BuildJob& job) {
    return std::any_of(job.outputs.begin(), job.outputs.end(), [](const Output& output) { return output.push; });
  });
}

Output last_image_output(const TargetSpec& target, std::size_t platforms) {
  std::vector<Output> outputs = outputs_of(target, {}, platforms);
  std::erase_if(outputs, [](const Output& output) { return output.type != OutputType::image; });
  return outputs.back();
}

}  // namespace kiln
