#pragma once

#include <string>
#include <vector>

#include "builder/definitions/policy_rules.hpp"

namespace kiln {

// Where something stands: a line of a Dockerfile or a definition. Line 0: the file as a whole.
struct PolicyPlace {
  std::string file;  // as people know it; empty: not known
  int line = 0;

  bool operator==(const PolicyPlace&) const = default;
};

// Something that breaks a rule of the policy.
struct PolicyFinding {
  std::string rule;  // its key in fleet.json
  PolicyLevel level = PolicyLevel::deny;
  std::string image;  // a target's name, or a reference
  PolicyPlace place;
  std::string message;  // what breaks the rule. Printable
  std::string fix;      // what would satisfy it. Printable

  bool operator==(const PolicyFinding&) const = default;
};

// "images/app/Dockerfile:3: base_digest: MESSAGE; FIX".
std::string finding_line(const PolicyFinding& finding);

// Findings, each once: what two profiles of one image break in the same line is told for the first of them.
class PolicyFindings {
 public:
  void add(PolicyFinding finding);
  const std::vector<PolicyFinding>& all() const noexcept { return findings_; }

 private:
  std::vector<PolicyFinding> findings_;
};

// Whether any of them stops the build or push.
bool is_denied(const std::vector<PolicyFinding>& findings);

// Error{build} with the findings that deny, where there are any: one is its message, several are its detail.
void refuse_denied(const std::vector<PolicyFinding>& findings);

// What a rule may be about: an image by its names, the target's and the image's own.
struct PolicySubject {
  std::string target;  // "app-mainpc", or a reference
  std::string image;   // "app"
  bool is_service = true;

  bool operator==(const PolicySubject&) const = default;
};

// Whether a rule is about an image: where it names images, about these. `services_alone` is what it is about else.
enum class RuleScope { every_image, services_alone };
bool is_about(const PolicyRule& rule, const PolicySubject& subject, RuleScope otherwise = RuleScope::every_image);
// Whether one of the globs matches the text.
bool matches_any(const std::vector<std::string>& globs, const std::string& text);

// A finding of a rule; `place` without a file becomes that of the rule itself.
PolicyFinding finding_of(std::string_view name, const PolicyRule& rule, const PolicySubject& subject,
                         PolicyPlace place);
// "images/fleet.json:12": where a rule stands.
std::string place_of(const PolicyRule& rule);

}  // namespace kiln
