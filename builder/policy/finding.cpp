#include "builder/policy/finding.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/count_of.hpp"
#include "base/error.hpp"
#include "builder/definitions/select.hpp"

namespace kiln {

std::string finding_line(const PolicyFinding& finding) {
  const std::string place =
      finding.place.line > 0 ? fmt::format("{}:{}", finding.place.file, finding.place.line) : finding.place.file;
  return fmt::format("{}: {}: {}; {}", place, finding.rule, finding.message, finding.fix);
}

void PolicyFindings::add(PolicyFinding finding) {
  const auto is_it = [&](const PolicyFinding& other) {
    return other.rule == finding.rule && other.place == finding.place && other.message == finding.message;
  };
  if (std::none_of(findings_.begin(), findings_.end(), is_it)) findings_.push_back(std::move(finding));
}

bool is_denied(const std::vector<PolicyFinding>& findings) {
  return std::any_of(findings.begin(), findings.end(),
                     [](const PolicyFinding& finding) { return finding.level == PolicyLevel::deny; });
}

void refuse_denied(const std::vector<PolicyFinding>& findings) {
  std::string detail;
  const PolicyFinding* first = nullptr;
  std::size_t count = 0;
  for (const PolicyFinding& finding : findings) {
    if (finding.level != PolicyLevel::deny) continue;
    if (!first) first = &finding;
    ++count;
    detail += fmt::format("  {}\n", finding_line(finding));
  }
  if (!first) return;
  if (count == 1) throw Error(Category::build, "denied by the policy: " + finding_line(*first));
  Error error(Category::build, fmt::format("denied by the policy ({}):", count_of(count, "finding")));
  error.set_detail(detail);
  throw error;
}

bool matches_any(const std::vector<std::string>& globs, const std::string& text) {
  return std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) { return matches_glob(glob, text); });
}

bool is_about(const PolicyRule& rule, const PolicySubject& subject, RuleScope otherwise) {
  if (rule.images.empty()) return otherwise == RuleScope::every_image || subject.is_service;
  return matches_any(rule.images, subject.target) || matches_any(rule.images, subject.image);
}

std::string place_of(const PolicyRule& rule) { return fmt::format("{}:{}", rule.file, rule.line); }

PolicyFinding finding_of(std::string_view name, const PolicyRule& rule, const PolicySubject& subject,
                         PolicyPlace place) {
  PolicyFinding finding;
  finding.rule = name;
  finding.level = rule.level;
  finding.image = subject.target.empty() ? subject.image : subject.target;
  finding.place = place.file.empty() ? PolicyPlace{rule.file, rule.line} : std::move(place);
  return finding;
}

}  // namespace kiln
