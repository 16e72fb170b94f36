#include "builder/policy/findings_output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/sarif.hpp"

namespace kiln {

namespace {

constexpr const char* kPolicyPage = "docs/policy.md";

std::string shown_place_of(const PolicyFinding& finding) {
  return finding.place.line > 0 ? fmt::format("{}:{}", finding.place.file, finding.place.line) : finding.place.file;
}

// What a workflow command takes for a value (GitHub's actions/toolkit, command.ts): in a property ':' and ',' too.
std::string command_value(std::string_view text, bool is_property) {
  std::string value;
  for (const char c : text) {
    switch (c) {
      case '%':
        value += "%25";
        break;
      case '\r':
        value += "%0D";
        break;
      case '\n':
        value += "%0A";
        break;
      case ':':
        value += is_property ? "%3A" : ":";
        break;
      case ',':
        value += is_property ? "%2C" : ",";
        break;
      default:
        value += c;
    }
  }
  return value;
}

std::vector<PolicyFinding> worst_first(std::vector<PolicyFinding> findings) {
  std::stable_partition(findings.begin(), findings.end(),
                        [](const PolicyFinding& finding) { return finding.level == PolicyLevel::deny; });
  return findings;
}

}  // namespace

std::string findings_text(const std::vector<PolicyFinding>& findings) {
  std::string text;
  for (const PolicyFinding& finding : worst_first(findings)) {
    text += fmt::format("{} {} {}: {}\n  to satisfy it: {}\n", to_string(finding.level), finding.rule,
                        shown_place_of(finding), finding.message, finding.fix);
  }
  return text;
}

nlohmann::json findings_json(const std::vector<PolicyFinding>& findings) {
  nlohmann::json list = nlohmann::json::array();
  for (const PolicyFinding& finding : findings) {
    list.push_back({{"rule", finding.rule},
                    {"level", to_string(finding.level)},
                    {"image", finding.image},
                    {"file", finding.place.file},
                    {"line", finding.place.line},
                    {"message", finding.message},
                    {"fix", finding.fix}});
  }
  return list;
}

nlohmann::json findings_sarif(const std::vector<PolicyFinding>& findings) {
  std::vector<SarifRule> rules;
  for (const PolicyRuleInfo& rule : kPolicyRules) {
    rules.push_back({std::string(rule.name), std::string(rule.description),
                     fmt::format("The rule '{}' of the policy: {} of kiln", rule.name, kPolicyPage), kPolicyPage});
  }
  std::vector<SarifResult> results;
  for (const PolicyFinding& finding : findings) {
    const SarifLevel level = finding.level == PolicyLevel::deny ? SarifLevel::error : SarifLevel::warning;
    results.push_back({finding.rule, level, fmt::format("{}; {}", finding.message, finding.fix), finding.place.file,
                       finding.place.line, finding.place.line});
  }
  return sarif_log(rules, results);
}

std::string findings_annotations(const std::vector<PolicyFinding>& findings) {
  std::string text;
  for (const PolicyFinding& finding : worst_first(findings)) {
    text += fmt::format("::{} file={},line={},title={}::{}\n", finding.level == PolicyLevel::deny ? "error" : "warning",
                        command_value(finding.place.file, true), std::max(finding.place.line, 1),
                        command_value("kiln policy " + finding.rule, true),
                        command_value(fmt::format("{}; {}", finding.message, finding.fix), false));
  }
  return text;
}

}  // namespace kiln
