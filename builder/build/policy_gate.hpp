#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "builder/build/policy_inspector.hpp"
#include "builder/build/workshop.hpp"
#include "builder/packages/image_packages.hpp"
#include "builder/policy/base_use.hpp"
#include "builder/policy/finding.hpp"
#include "builder/policy/image_checks.hpp"

namespace kiln {

// Holds a build against the policy of its fleet: the definitions before anything is built, what the build asked for and
// the images that it made before anything leaves. Borrows all it is given. One thread.
class PolicyGate {
 public:
  PolicyGate(Workshop& shop, const Plan& plan, const PolicyRules& rules);

  // Bases and RUN lines of all that these targets need, USER and HEALTHCHECK of the targets.
  void check_definitions(const std::vector<std::size_t>& wanted);
  // The bases that the build got: those that are other ones than before it (a tag moved), and those that no line told
  // of, since a variable hid their names, or a trigger has them: these by the rules about the targets that took them.
  // RUN lines of the stages that were built for a trigger alone.
  void check_what_was_taken();
  // An image of the plan's target. Returns the steps whose layers no place has: then the packages were not looked at.
  Blocked check_image(std::size_t target, const BuiltImage& built);

  // Warns of what is new since the last call. Error{build} with all findings that deny, where there are any.
  void enforce();
  // With no secret in them.
  std::vector<PolicyFinding> findings() const;

 private:
  void check_run_lines_of(std::size_t target, const std::set<std::size_t>& stages);
  Blocked check_user_of(const CheckedImage& image, const BuiltImage& built);
  Blocked check_packages_of(const CheckedImage& image, const BuiltImage& built);

  Workshop& shop_;
  const Plan& plan_;
  const PolicyRules& rules_;
  std::unique_ptr<PolicyInspector> inspector_;  // null without rules
  PolicyFindings findings_;
  std::size_t told_ = 0;                                        // of the findings
  std::vector<BaseUse> uses_;                                   // the bases that were checked
  std::map<std::size_t, std::set<std::size_t>> stages_;         // by target, those whose RUN lines were checked
  std::map<std::vector<oci::Digest>, ImagePackages> packages_;  // by the layers' diff IDs
};

}  // namespace kiln
