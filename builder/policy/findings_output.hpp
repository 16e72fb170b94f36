#pragma once

#include <array>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "builder/policy/finding.hpp"

namespace kiln {

// The rules by their keys in fleet.json, in the order of docs/policy.md.
struct PolicyRuleInfo {
  std::string_view name;
  std::string_view description;  // one sentence
};
inline constexpr std::array<PolicyRuleInfo, 10> kPolicyRules = {{
    {"base_source", "Base images come from listed registries and repositories"},
    {"base_digest", "Base images are named by their digest"},
    {"base_signature", "Base images are signed by a listed key"},
    {"base_age", "Base images are not older than so many days"},
    {"run_network", "RUN has a network only in lines that are listed"},
    {"packages", "Packages that are listed may not be in an image"},
    {"licences", "Licences that are listed may not be in an image"},
    {"user", "An image's program does not run as root"},
    {"healthcheck", "An image has a HEALTHCHECK"},
    {"size", "An image is not larger than it may be"},
}};

// A report for people, findings that deny first; empty where there are none.
std::string findings_text(const std::vector<PolicyFinding>& findings);
// {"rule", "level", "image", "file", "line", "message", "fix"} of each.
nlohmann::json findings_json(const std::vector<PolicyFinding>& findings);
// SARIF 2.1.0; what denies is an error, what warns a warning.
nlohmann::json findings_sarif(const std::vector<PolicyFinding>& findings);
// A workflow command of GitHub Actions for each: "::error file=...,line=...,title=...::MESSAGE".
std::string findings_annotations(const std::vector<PolicyFinding>& findings);

}  // namespace kiln
