#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "builder/policy/base_use.hpp"
#include "builder/policy/finding.hpp"

namespace kiln {

// What is known of a base once it was asked for.
struct BaseFacts {
  std::optional<std::string> digest;   // of the manifest that is used
  std::optional<std::string> locked;   // what the lock file says of it: the image's digest, or that of the packages
  std::optional<UnixSeconds> created;  // as it is stated, whatever it says
  std::string user;                    // of its config
  bool has_healthcheck = false;
  std::vector<std::string> on_build;
};

// Asks for bases; a build has one, a test another.
class BaseInspector {
 public:
  virtual ~BaseInspector() = default;
  // Throws where the base cannot be had.
  virtual BaseFacts facts(const BaseUse& use) = 0;
  // Why none of the keys' signatures of the image counts; empty where one does.
  virtual std::string signature_problem(const BaseUse& use, const std::vector<std::string>& keys) = 0;
  virtual UnixSeconds now() const = 0;
};

// What of the policy a base breaks: base_source, base_digest, base_signature, base_age, and run_network where its
// ONBUILD triggers have one. Throws what is cancelled; where a base cannot be looked at a finding says why.
void check_base(const PolicyRules& rules, const BaseUse& use, BaseInspector& inspector, PolicyFindings& findings);

// A time that says when an image was made: reproducible images state the beginning of 1980, or of 1970, instead.
bool tells_age(std::optional<UnixSeconds> created);

}  // namespace kiln
