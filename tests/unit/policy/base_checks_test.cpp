#include "builder/policy/base_checks.hpp"

#include <doctest/doctest.h>

#include "tests/unit/policy/policy_plan.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

constexpr UnixSeconds kDay = 86'400;
const std::string kDigest = "sha256:" + std::string(64, 'a');

BaseUse image_use(const std::string& reference) {
  BaseUse use;
  use.meaning = ImageBase{reference};
  use.subject = {"app", "app", true};
  use.place = {"app/Dockerfile", 1};
  use.is_stage_base = true;
  return use;
}

BaseUse debian_use() {
  BaseUse use = image_use("");
  use.meaning = DebianBase{};
  use.debian = DebianRequest{"app", "bookworm", "minbase", {}, {}, "", "", "images/app/image.json"};
  return use;
}

BaseUse layout_use(const std::string& tag) {
  BaseUse use = image_use("");
  use.meaning = LayoutBase{"/l", tag};
  return use;
}

PolicyFindings checked(const PolicyRules& rules, const BaseUse& use, FakeInspector inspector = {}) {
  PolicyFindings findings;
  check_base(rules, use, inspector, findings);
  return findings;
}

}  // namespace

TEST_CASE("a base is of a listed registry, repository or glob") {
  PolicyRules rules;
  rules.base_source = policy_rule<BaseSourceRule>();
  rules.base_source->allow = {"quay.io", "docker.io/library/python", "ghcr.io/acme/*"};
  for (const char* name :
       {"python:3.12", "docker.io/library/python@sha256:", "quay.io/any/thing:1", "ghcr.io/acme/a/b"}) {
    std::string reference = name;
    if (reference.ends_with(':')) reference = "docker.io/library/python@" + kDigest;
    CAPTURE(reference);
    CHECK(shown(checked(rules, image_use(reference))).empty());
  }
  CHECK(shown(checked(rules, image_use("alpine:3"))) ==
        std::vector<std::string>{
            "deny base_source app/Dockerfile:1 base image 'alpine:3' is of none of the places that are "
            "listed: quay.io, docker.io/library/python, ghcr.io/acme/*"});
  CHECK(checked(rules, image_use("alpine:3")).all().at(0).fix ==
        "build on an image of one of them, or list 'docker.io/library/alpine' in \"allow\" (fleet.json:9)");
  CHECK(shown(checked(rules, image_use("ghcr.io/acmeevil/a"))).size() == 1);
}

TEST_CASE("bases that are of no registry have words of their own") {
  PolicyRules rules;
  rules.base_source = policy_rule<BaseSourceRule>(PolicyLevel::warn);
  rules.base_source->allow = {"docker.io"};
  CHECK(shown(checked(rules, debian_use())).at(0).starts_with("warn base_source"));
  CHECK(shown(checked(rules, layout_use("1"))).at(0).starts_with("warn base_source"));
  rules.base_source->allow = {"debian-packages", "oci-layout"};
  CHECK(shown(checked(rules, debian_use())).empty());
  CHECK(shown(checked(rules, layout_use("1"))).empty());
}

TEST_CASE("a base is named by its digest, by itself or by the lock file") {
  PolicyRules rules;
  rules.base_digest = policy_rule<PolicyRule>();
  FakeInspector inspector;
  inspector.known.digest = kDigest;
  CHECK(shown(checked(rules, image_use("alpine@" + kDigest), inspector)).empty());
  const PolicyFindings findings = checked(rules, image_use("alpine:3"), inspector);
  CHECK(shown(findings) ==
        std::vector<std::string>{"deny base_digest app/Dockerfile:1 base image 'alpine:3' is named by a "
                                 "tag, which may be another image tomorrow"});
  CHECK(findings.all().at(0).fix ==
        "write 'alpine:3@" + kDigest + "'; image definitions may record it by 'kiln lock' instead");
  inspector.known.locked = kDigest;
  CHECK(shown(checked(rules, image_use("alpine:3"), inspector)).empty());
  inspector.known.locked = "sha256:" + std::string(64, 'b');
  CHECK(shown(checked(rules, image_use("alpine:3"), inspector)).at(0).find("is locked as sha256:bbbb") !=
        std::string::npos);
  CHECK(shown(checked(rules, layout_use("latest"))).size() == 1);
  CHECK(shown(checked(rules, layout_use(kDigest))).empty());
  CHECK(shown(checked(rules, debian_use())) ==
        std::vector<std::string>{
            "deny base_digest app/Dockerfile:1 the packages of 'debian-packages of bookworm' are not in "
            "the lock file"});
  CHECK(shown(checked(rules, debian_use(), inspector)).empty());
}

TEST_CASE("a base is signed by a listed key") {
  PolicyRules rules;
  rules.base_signature = policy_rule<BaseSignatureRule>();
  FakeInspector inspector;
  CHECK(shown(checked(rules, image_use("alpine:3"), inspector)).empty());
  inspector.signature = "it has no signature";
  CHECK(shown(checked(rules, image_use("alpine:3"), inspector)) ==
        std::vector<std::string>{
            "deny base_signature app/Dockerfile:1 base image 'alpine:3' is not signed by a listed key: it "
            "has no signature"});
  CHECK(shown(checked(rules, layout_use("1"))).size() == 1);
  CHECK(shown(checked(rules, debian_use(), inspector)).empty());
}

TEST_CASE("a base is not older than so many days") {
  PolicyRules rules;
  rules.base_age = policy_rule<BaseAgeRule>(PolicyLevel::warn);
  rules.base_age->days = 90;
  FakeInspector inspector;
  inspector.known.created = inspector.now() - 90 * kDay - kDay / 2;
  CHECK(shown(checked(rules, image_use("alpine:3"), inspector)).empty());
  inspector.known.created = inspector.now() - 91 * kDay;
  CHECK(shown(checked(rules, image_use("alpine:3"), inspector)) ==
        std::vector<std::string>{
            "warn base_age app/Dockerfile:1 base image 'alpine:3' is 91 days old (of 2026-10-16), and 90 "
            "are allowed"});
  inspector.known.created = inspector.now() + kDay;
  CHECK(shown(checked(rules, image_use("alpine:3"), inspector)).empty());
}

TEST_CASE("an age that is not stated is a finding, whether there is no time or that of reproducible builds") {
  PolicyRules rules;
  rules.base_age = policy_rule<BaseAgeRule>();
  rules.base_age->days = 90;
  FakeInspector inspector;
  CHECK(shown(checked(rules, image_use("a"), inspector)).at(0).find("its config states no time") != std::string::npos);
  for (const UnixSeconds created : {UnixSeconds{0}, kReproducibleEpoch}) {
    inspector.known.created = created;
    CHECK(shown(checked(rules, image_use("a"), inspector)).at(0).find("as reproducible images do") !=
          std::string::npos);
  }
}

TEST_CASE("a base that cannot be had is a finding of each rule that would have to look at it") {
  PolicyRules rules;
  rules.base_digest = policy_rule<PolicyRule>();
  rules.base_age = policy_rule<BaseAgeRule>(PolicyLevel::warn);
  FakeInspector inspector;
  inspector.problem = "connection refused";
  CHECK(shown(checked(rules, image_use("alpine:3"), inspector)) ==
        std::vector<std::string>{
            "deny base_digest app/Dockerfile:1 base image 'alpine:3' cannot be looked at: connection refused",
            "warn base_age app/Dockerfile:1 base image 'alpine:3' cannot be looked at: connection refused"});
}

TEST_CASE("triggers of a base that run with a network are held against the rule about RUN lines") {
  PolicyRules rules;
  rules.run_network = policy_rule<RunNetworkRule>();
  FakeInspector inspector;
  inspector.known.on_build = {"COPY . /src", "RUN make", "RUN --network=none make quiet"};
  CHECK(shown(checked(rules, image_use("alpine:3"), inspector)) ==
        std::vector<std::string>{
            "deny run_network app/Dockerfile:1 ONBUILD of the base image: 'RUN make' has a network and is "
            "not listed"});
  BaseUse copied = image_use("alpine:3");
  copied.is_stage_base = false;
  CHECK(shown(checked(rules, copied, inspector)).empty());
}

TEST_CASE("a rule that names images is about these alone") {
  PolicyRules rules;
  rules.base_digest = policy_rule<PolicyRule>();
  rules.base_digest->images = {"svc-*"};
  CHECK(shown(checked(rules, image_use("alpine:3"))).empty());
  rules.base_digest->images = {"svc-*", "app"};
  CHECK(shown(checked(rules, image_use("alpine:3"))).size() == 1);
}
