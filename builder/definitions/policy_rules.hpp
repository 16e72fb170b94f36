#pragma once

#include <array>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/packages/package_pattern.hpp"

namespace kiln {

class JsonSource;

enum class PolicyLevel { warn, deny };
std::string_view to_string(PolicyLevel level);  // "warn", "deny"
// nullopt for another word.
std::optional<PolicyLevel> parse_policy_level(std::string_view text);

// "policy" of fleet.json (docs/policy.md): plain values, and what stands in them is valid. A rule that is not there is
// not checked.

// A rule's name is its key there, and its place "FILE:LINE" is that of its object.
struct PolicyRule {
  PolicyLevel level = PolicyLevel::deny;
  std::vector<std::string> images;  // globs over names; empty: all, or services alone
  std::string file;                 // fleet.json, as people know it
  int line = 0;

  bool operator==(const PolicyRule&) const = default;
};
struct BaseSourceRule : PolicyRule {
  std::vector<std::string> allow;  // globs

  bool operator==(const BaseSourceRule&) const = default;
};
struct BaseSignatureRule : PolicyRule {
  std::vector<std::string> keys;  // PEM texts, or files (absolute)

  bool operator==(const BaseSignatureRule&) const = default;
};
struct BaseAgeRule : PolicyRule {
  int days = 0;

  bool operator==(const BaseAgeRule&) const = default;
};
struct RunNetworkRule : PolicyRule {
  struct Line {
    std::string image;    // a glob; empty: any
    std::string command;  // likewise

    bool operator==(const Line&) const = default;
  };
  std::vector<Line> allow;

  bool operator==(const RunNetworkRule&) const = default;
};
struct PackagesRule : PolicyRule {
  struct Forbidden {
    PackagePattern packages;
    std::string reason;  // may be empty
    int line = 0;        // of fleet.json

    bool operator==(const Forbidden&) const = default;
  };
  std::vector<Forbidden> forbid;

  bool operator==(const PackagesRule&) const = default;
};
struct LicencesRule : PolicyRule {
  std::vector<std::string> forbid;  // globs, in lower case
  bool forbids_unstated = false;
  std::vector<PackagePattern> except;

  bool operator==(const LicencesRule&) const = default;
};
struct SizeRule : PolicyRule {
  std::uint64_t max_bytes = 0;
  std::string max;  // as it is said

  bool operator==(const SizeRule&) const = default;
};

struct PolicyRules {
  std::optional<BaseSourceRule> base_source;
  std::optional<PolicyRule> base_digest;
  std::optional<BaseSignatureRule> base_signature;
  std::optional<BaseAgeRule> base_age;
  std::optional<RunNetworkRule> run_network;
  std::optional<PackagesRule> packages;
  std::optional<LicencesRule> licences;
  std::optional<PolicyRule> user;
  std::optional<PolicyRule> healthcheck;
  std::optional<SizeRule> size;

  bool any() const { return any_about_bases() || run_network || any_about_images(); }
  bool any_about_bases() const { return base_source || base_digest || base_signature || base_age; }
  bool any_about_images() const { return any_about_packages() || user || healthcheck || size; }
  bool any_about_packages() const { return packages || licences; }
  // Some rule about finished images stops what breaks it: then nothing of an image leaves before it was checked.
  bool denies_images() const;

  bool operator==(const PolicyRules&) const = default;
};

// "policy" of a file that its schema has checked. Error{usage} "FILE:LINE: ..." for a glob, a package URL or a range of
// versions that is none.
PolicyRules read_policy_rules(const JsonSource& source, const nlohmann::json& policy);

}  // namespace kiln
