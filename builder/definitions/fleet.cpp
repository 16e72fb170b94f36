#include "builder/definitions/fleet.hpp"

#include <algorithm>

#include "builder/definitions/json_source.hpp"

namespace kiln {

std::string FleetSettings::registry_and_namespace() const {
  return image_namespace.empty() || registry.empty() ? registry : registry + "/" + image_namespace;
}

void Fleet::sort() {
  std::sort(targets.begin(), targets.end(),
            [](const TargetSpec& one, const TargetSpec& other) { return one.name < other.name; });
}

const TargetSpec* Fleet::find(const std::string& name) const {
  const auto at =
      std::lower_bound(targets.begin(), targets.end(), name,
                       [](const TargetSpec& target, const std::string& wanted) { return target.name < wanted; });
  if (at != targets.end() && at->name == name) return &*at;
  for (const TargetSpec& target : targets) {
    const std::string prefix = target.name + "-";
    if (!target.problems.empty() && name.starts_with(prefix) && profiles.contains(name.substr(prefix.size())))
      return &target;
  }
  return nullptr;
}

std::vector<const TargetSpec*> all_targets(const Fleet& fleet) {
  std::vector<const TargetSpec*> all;
  for (const TargetSpec& target : fleet.targets) all.push_back(&target);
  return all;
}

std::vector<std::string> problems_among(const std::vector<const TargetSpec*>& targets) {
  std::vector<std::string> problems;
  for (const TargetSpec* target : targets) {
    for (const std::string& problem : target->problems) {
      if (std::find(problems.begin(), problems.end(), problem) == problems.end()) problems.push_back(problem);
    }
  }
  return problems;
}

void refuse_problems(const std::vector<const TargetSpec*>& targets) {
  if (const auto problems = problems_among(targets); !problems.empty()) throw error_of(problems);
}

}  // namespace kiln
