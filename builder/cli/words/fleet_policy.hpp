#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "base/log.hpp"
#include "builder/cli/words/arguments.hpp"
#include "builder/definitions/fleet.hpp"
#include "builder/policy/finding.hpp"
#include "registry/oci/reference.hpp"

namespace kiln::cli {

// --fleet-policy, of the commands that push what is no target of image definitions.
void add_fleet_policy_word(Arguments& command, std::optional<std::string>& word);

// The policy that such a command heeds.
struct FleetPolicy {
  PolicyRules rules;           // none where there is no policy
  std::optional<Fleet> fleet;  // whose it is
};

// The policy of the fleet.json, or its folder, that the word names; "none", which is warned of; else of the fleet.json
// that is in one of the folders or in its images/. Error{usage} where it names none, and for a file with a policy that
// cannot be read. A fleet.json that says nothing of a policy is not looked into further.
FleetPolicy find_fleet_policy(const std::optional<std::string>& word, const std::vector<fs::path>& folders, Log& log);

// The same by the working directory; what is to be told goes to standard error.
FleetPolicy policy_here(const std::optional<std::string>& word);

// What the policy knows an image by: the target of its fleet that is published in this repository, else its name alone.
PolicySubject subject_of(const FleetPolicy& policy, const oci::Reference& image);

}  // namespace kiln::cli
