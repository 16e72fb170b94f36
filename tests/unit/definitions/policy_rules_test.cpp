#include "builder/definitions/policy_rules.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "builder/definitions/fleet_settings.hpp"
#include "builder/definitions/json_source.hpp"
#include "builder/definitions/schema.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;

namespace {

PolicyRules rules_of(const std::string& policy) {
  const JsonSource source("/x/fleet.json", "{\n\"registry\": \"ghcr.io\",\n\"policy\": {\n" + policy + "\n}}");
  return read_fleet_settings(source, source.parse(fleet_schema())).policy;
}

}  // namespace

TEST_CASE("a rule that is not named is not there") {
  const PolicyRules rules = rules_of("");
  CHECK_FALSE(rules.any());
  CHECK(rules == PolicyRules{});
}

TEST_CASE("every rule of a policy is read with its level, its images and its place") {
  const PolicyRules rules = rules_of(R"("base_source": {"level": "deny", "allow": ["docker.io/library/*"]},
"base_digest": {"level": "warn"},
"base_signature": {"level": "deny", "keys": ["keys/a.pub", "-----BEGIN PUBLIC KEY-----\n"]},
"base_age": {"level": "warn", "days": 90},
"run_network": {"level": "deny", "allow": [{"command": "pip *"}, {"image": "base-*"}]},
"packages": {"level": "deny", "images": ["app"], "forbid": [
  {"purl": "pkg:pypi/urllib3", "versions": "<2.0.7", "reason": "CVE-2023-45803"}]},
"licences": {"level": "deny", "forbid": ["AGPL-3.0-*"], "unstated": "forbid", "except": ["pkg:deb/bash"]},
"user": {"level": "deny"},
"healthcheck": {"level": "warn"},
"size": {"level": "deny", "max": "1.5 GB"})");
  REQUIRE(rules.base_source);
  CHECK(rules.base_source->allow == std::vector<std::string>{"docker.io/library/*"});
  CHECK(rules.base_source->file == "/x/fleet.json");
  CHECK(rules.base_source->line == 4);
  CHECK(rules.base_digest.value().level == PolicyLevel::warn);
  CHECK(rules.base_signature.value().keys == std::vector<std::string>{"/x/keys/a.pub", "-----BEGIN PUBLIC KEY-----\n"});
  CHECK(rules.base_age.value().days == 90);
  CHECK(rules.run_network.value().allow.at(0).command == "pip *");
  CHECK(rules.run_network.value().allow.at(1).image == "base-*");
  CHECK(rules.packages.value().images == std::vector<std::string>{"app"});
  CHECK(rules.packages.value().forbid.at(0).line == 10);
  CHECK(rules.packages.value().forbid.at(0).reason == "CVE-2023-45803");
  CHECK(rules.licences.value().forbid == std::vector<std::string>{"agpl-3.0-*"});
  CHECK(rules.licences.value().forbids_unstated);
  CHECK(rules.licences.value().except.size() == 1);
  CHECK(rules.user.value().line == 12);
  CHECK(rules.healthcheck.value().level == PolicyLevel::warn);
  CHECK(rules.size.value().max_bytes == 1'500'000'000);
}

TEST_CASE("a rule about images that denies holds back what would be sent early, others do not") {
  CHECK(rules_of(R"("packages": {"level": "deny", "forbid": [{"purl": "pkg:pypi/x"}]})").denies_images());
  CHECK(rules_of(R"("size": {"level": "deny", "max": "1MB"})").denies_images());
  CHECK_FALSE(rules_of(R"("packages": {"level": "warn", "forbid": [{"purl": "pkg:pypi/x"}]})").denies_images());
  CHECK_FALSE(rules_of(R"("base_digest": {"level": "deny"})").denies_images());
}

TEST_CASE("what a policy does not know is refused with what it does") {
  CHECK_ERROR(rules_of(R"("base_souce": {"level": "deny"})"), Category::usage,
              doctest::Contains("/x/fleet.json:4: unknown key 'base_souce'; did you mean 'base_source'?"));
  CHECK_ERROR(rules_of(R"("base_digest": {"level": "error"})"), Category::usage,
              doctest::Contains("/x/fleet.json:4: "));
  CHECK_ERROR(rules_of(R"("base_age": {"level": "deny", "day": 3})"), Category::usage, doctest::Contains("days"));
  CHECK_ERROR(rules_of(R"("base_source": {"level": "deny", "allow": ["[a"]})"), Category::usage,
              doctest::Contains("/x/fleet.json:4: "));
  CHECK_ERROR(rules_of("\"packages\": {\"level\": \"deny\", \"forbid\": [\n{\"purl\": \"urllib3\"}]}"), Category::usage,
              doctest::Contains("/x/fleet.json:5: package 'urllib3': expected a package URL"));
  CHECK_ERROR(rules_of(R"("packages": {"level": "deny", "forbid": [{"purl": "pkg:pypi/x", "versions": "^2"}]})"),
              Category::usage, doctest::Contains("version range '^2'"));
  CHECK_ERROR(rules_of(R"("size": {"level": "deny", "max": "99999999999999 TB"})"), Category::usage,
              doctest::Contains("is no size that can be"));
  CHECK_ERROR(rules_of(R"("run_network": {"level": "deny", "allow": [{}]})"), Category::usage,
              doctest::Contains("/x/fleet.json:4: "));
}
