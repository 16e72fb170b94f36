#pragma once

#include <string>
#include <vector>

#include "builder/plan/plan.hpp"
#include "builder/policy/base_checks.hpp"
#include "builder/policy/finding.hpp"

namespace kiln::test {

inline TargetSpec policy_target(const std::string& image, const std::string& dockerfile) {
  TargetSpec target;
  target.image = image;
  target.name = image;
  target.dockerfile_text = dockerfile;
  target.dockerfile_name = image + "/Dockerfile";
  return target;
}

// "LEVEL RULE FILE:LINE MESSAGE" of each.
inline std::vector<std::string> shown(const PolicyFindings& findings) {
  std::vector<std::string> lines;
  for (const PolicyFinding& finding : findings.all()) {
    lines.push_back(std::string(to_string(finding.level)) + " " + finding.rule + " " + finding.place.file + ":" +
                    std::to_string(finding.place.line) + " " + finding.message);
  }
  return lines;
}

template <class Rule>
Rule policy_rule(PolicyLevel level = PolicyLevel::deny) {
  Rule rule;
  rule.level = level;
  rule.file = "fleet.json";
  rule.line = 9;
  return rule;
}

// A base as the test says it is.
class FakeInspector final : public BaseInspector {
 public:
  BaseFacts known;
  std::string problem;    // why the base cannot be had
  std::string signature;  // why it is not signed

  BaseFacts facts(const BaseUse&) override {
    if (!problem.empty()) throw Error(Category::network, problem);
    return known;
  }
  std::string signature_problem(const BaseUse&, const std::vector<std::string>&) override { return signature; }
  UnixSeconds now() const override { return 1'800'000'000; }
};

}  // namespace kiln::test
