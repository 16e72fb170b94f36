#include "builder/policy/image_checks.hpp"

#include <doctest/doctest.h>

#include "tests/unit/policy/policy_plan.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

ImagePackages packages_with(Ecosystem ecosystem, const std::string& name, const std::string& version,
                            const std::string& licence) {
  ImagePackages packages;
  packages.layers.resize(2);
  packages.layers[1].created_by = "RUN pip install -r requirements.txt";
  Package& package = packages.packages.emplace_back();
  package.stated.ecosystem = ecosystem;
  package.stated.name = name;
  package.stated.version = version;
  package.stated.licence = licence;
  package.layer = 1;
  return packages;
}

CheckedImage image_with(const oci::ImageConfig& config) {
  CheckedImage image;
  image.subject = {"app", "app", true};
  image.config = &config;
  image.layer_bytes = {10, 990};
  image.layers = {{"app/Dockerfile", 1}, {"app/Dockerfile", 4}};
  image.user = {"app/Dockerfile", 6};
  image.healthcheck = {"app/Dockerfile", 7};
  return image;
}

std::vector<std::string> package_findings(const PolicyRules& rules, const ImagePackages& packages) {
  const oci::ImageConfig config;
  PolicyFindings findings;
  check_packages(rules, image_with(config), packages, findings);
  return shown(findings);
}

PolicyRules licence_rules(std::vector<std::string> forbid) {
  PolicyRules rules;
  rules.licences = policy_rule<LicencesRule>();
  rules.licences->forbid = std::move(forbid);
  return rules;
}

}  // namespace

TEST_CASE("a package that may not be in an image is named with the line that brought it and the way out") {
  PolicyRules rules;
  rules.packages = policy_rule<PackagesRule>();
  rules.packages->forbid = {{PackagePattern::parse("pkg:pypi/urllib3", "<2.0.7"), "CVE-2023-45803", 12}};
  CHECK(package_findings(rules, packages_with(Ecosystem::pypi, "urllib3", "2.0.7", "MIT")).empty());
  const oci::ImageConfig config;
  PolicyFindings findings;
  check_packages(rules, image_with(config), packages_with(Ecosystem::pypi, "urllib3", "1.26.5", "MIT"), findings);
  CHECK(shown(findings) ==
        std::vector<std::string>{"deny packages app/Dockerfile:4 urllib3 1.26.5 (pypi) may not be in an image: "
                                 "CVE-2023-45803, which 'RUN pip install -r requirements.txt' brought"});
  CHECK(findings.all().at(0).fix == "install urllib3 of 2.0.7 or newer, or leave it out (fleet.json:12)");
}

TEST_CASE("a package that may not be there in any version is to be left out") {
  PolicyRules rules;
  rules.packages = policy_rule<PackagesRule>(PolicyLevel::warn);
  rules.packages->forbid = {{PackagePattern::parse("pkg:deb/telnet", ""), "", 3}};
  const oci::ImageConfig config;
  PolicyFindings findings;
  check_packages(rules, image_with(config), packages_with(Ecosystem::deb, "telnet", "0.17", ""), findings);
  REQUIRE(findings.all().size() == 1);
  CHECK(findings.all()[0].level == PolicyLevel::warn);
  CHECK(findings.all()[0].fix == "leave telnet out (fleet.json:3)");
}

TEST_CASE("licences are held against what packages state, alternatives and exceptions counted") {
  const PolicyRules rules = licence_rules({"agpl-3.0-*", "gpl-2.0-only"});
  const auto found = [&](const std::string& licence) {
    return package_findings(rules, packages_with(Ecosystem::pypi, "x", "1", licence)).size();
  };
  CHECK(found("MIT") == 0);
  CHECK(found("AGPL-3.0-or-later") == 1);
  CHECK(found("AGPL-3.0-only OR MIT") == 0);
  CHECK(found("MIT AND AGPL-3.0-only") == 1);
  CHECK(found("GPL-2") == 1);
  CHECK(found("GPL-2.0-only WITH Classpath-exception-2.0") == 1);
  CHECK(found("GPL-2.0-or-later") == 0);
  CHECK(found("") == 0);
  CHECK(package_findings(rules, packages_with(Ecosystem::pypi, "x", "1", "AGPL-3.0-only")) ==
        std::vector<std::string>{
            "deny licences app/Dockerfile:4 x 1 (pypi) is licensed under AGPL-3.0-only, which may not be "
            "in an image, which 'RUN pip install -r requirements.txt' brought"});
}

TEST_CASE("words that are no licence of SPDX can be forbidden as they are stated") {
  const ImagePackages packages = packages_with(Ecosystem::pypi, "x", "1", "Some Company's Own Licence");
  CHECK(package_findings(licence_rules({"some company*"}), packages).size() == 1);
  CHECK(package_findings(licence_rules({"mit"}), packages).empty());
}

TEST_CASE("packages that state no licence, and those that are excepted, are as the rule says") {
  PolicyRules rules = licence_rules({"mit"});
  const ImagePackages unstated = packages_with(Ecosystem::pypi, "x", "1", "");
  CHECK(package_findings(rules, unstated).empty());
  rules.licences->forbids_unstated = true;
  CHECK(package_findings(rules, unstated).at(0).find("x 1 (pypi) states no licence") != std::string::npos);
  rules.licences->except = {PackagePattern::parse("pkg:pypi/x", "")};
  CHECK(package_findings(rules, unstated).empty());
  CHECK(package_findings(rules, packages_with(Ecosystem::pypi, "x", "1", "MIT")).empty());
}

TEST_CASE("what could not be read of an image's packages is a finding at the rule's own place") {
  PolicyRules rules = licence_rules({"mit"});
  ImagePackages packages;
  packages.notes = {"var/lib/dpkg/status is larger than it may be"};
  CHECK(package_findings(rules, packages) ==
        std::vector<std::string>{"deny licences fleet.json:9 not every package of 'app' could be looked at: "
                                 "var/lib/dpkg/status is larger than it may be"});
}

TEST_CASE("the user, the HEALTHCHECK and the size of a finished image are held against the rules") {
  PolicyRules rules;
  rules.user = policy_rule<PolicyRule>();
  rules.healthcheck = policy_rule<PolicyRule>(PolicyLevel::warn);
  rules.size = policy_rule<SizeRule>();
  rules.size->max_bytes = 999;
  rules.size->max = "999B";
  oci::ImageConfig config;
  PolicyFindings findings;
  check_image(rules, image_with(config), findings);
  CHECK(shown(findings) ==
        std::vector<std::string>{
            "deny user app/Dockerfile:6 the image's program runs as root",
            "warn healthcheck app/Dockerfile:7 the image has no HEALTHCHECK",
            "deny size app/Dockerfile:4 the image weighs 1.00 kB compressed, and 999B are allowed; its "
            "largest layer 990 B"});
  config.config.user = "app";
  config.config.healthcheck = oci::Healthcheck{{"CMD", "true"}};
  rules.size->max_bytes = 1000;
  PolicyFindings none;
  check_image(rules, image_with(config), none);
  CHECK(shown(none).empty());
  config.config.healthcheck = oci::Healthcheck{{"NONE"}};
  check_image(rules, image_with(config), none);
  CHECK(shown(none).size() == 1);
}

TEST_CASE("an image that cannot be looked at is a finding of every rule about images") {
  PolicyRules rules = licence_rules({"mit"});
  rules.user = policy_rule<PolicyRule>();
  rules.size = policy_rule<SizeRule>();
  const oci::ImageConfig config;
  PolicyFindings findings;
  report_unseen_image(rules, image_with(config), "gone", findings);
  std::vector<std::string> names;
  for (const PolicyFinding& finding : findings.all()) names.push_back(finding.rule);
  CHECK(names == std::vector<std::string>{"licences", "user", "size"});
}
