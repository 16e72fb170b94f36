#include "builder/build/policy_gate.hpp"

#include <doctest/doctest.h>

#include "tests/support/check_error.hpp"
#include "tests/unit/build/build_fixture.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

template <class Rule>
Rule rule_at(PolicyLevel level, int line) {
  Rule rule;
  rule.level = level;
  rule.file = "fleet.json";
  rule.line = line;
  return rule;
}

// A base, and an image on it that is pushed.
void add_pushed_image(BuildFixture& fixture, const std::string& dockerfile) {
  fixture.bases.add("base", {{"etc/os-release", "ID=debian\n"}});
  fixture.target("app", dockerfile).outputs = {"type=registry"};
}

}  // namespace

TEST_CASE("what the policy denies of a definition stops the build before anything of it is executed") {
  BuildFixture fixture;
  add_pushed_image(fixture, "FROM base\nRUN make\n");
  fixture.request.fleet.settings.policy.base_source = rule_at<BaseSourceRule>(PolicyLevel::deny, 4);
  fixture.request.fleet.settings.policy.base_source->allow = {"ghcr.io"};
  const Error error = fixture.fail();
  CHECK(error.category() == Category::build);
  CHECK(error.message().find(":1: base_source: base image 'base' is of none of the places that are listed: ghcr.io") !=
        std::string::npos);
  CHECK(fixture.ran().empty());
  CHECK(fixture.named().empty());
  CHECK(fixture.pushed("acme/app:1").empty());
}

TEST_CASE("what the policy denies of a finished image keeps it from being pushed and named, its layers too") {
  BuildFixture fixture;
  add_pushed_image(fixture, "FROM base\nARG WHO=root\nRUN make\nUSER $WHO\n");
  fixture.request.fleet.settings.policy.user = rule_at<PolicyRule>(PolicyLevel::deny, 4);
  const Error error = fixture.fail();
  CHECK(error.category() == Category::build);
  CHECK(error.message().find(":4: user: the image's program runs as root") != std::string::npos);
  CHECK(fixture.ran() == Names{"make"});
  CHECK(fixture.named().empty());
  CHECK(fixture.pushed("acme/app:1").empty());
  CHECK(fixture.registry.requests().empty());
}

TEST_CASE("what the policy warns of is told once and stands in the report") {
  BuildFixture fixture;
  add_pushed_image(fixture, "FROM base\nRUN make\n");
  fixture.request.fleet.settings.policy.user = rule_at<PolicyRule>(PolicyLevel::warn, 4);
  const BuildResult result = fixture.build();
  CHECK(fixture.warnings("user: the image's program runs as root") == 1);
  REQUIRE(result.report.policy.size() == 1);
  CHECK(result.report.policy[0].rule == "user");
  CHECK(result.report.policy[0].place.line == 1);
  CHECK_FALSE(fixture.pushed("acme/app:1").empty());
}

TEST_CASE(
    "an image that only a trigger of a base names is held against the rules about bases before anything is pushed") {
  BuildFixture fixture;
  fixture.bases.add("tools", {{"t", "1"}});
  add_pushed_image(fixture, "FROM base\nRUN make\n");
  oci::ContainerConfig config;
  config.on_build = {"COPY --from=tools /t /t"};
  fixture.bases.add("base", {{"etc/os-release", "ID=debian\n"}}, config);
  fixture.request.fleet.settings.policy.base_source = rule_at<BaseSourceRule>(PolicyLevel::deny, 4);
  fixture.request.fleet.settings.policy.base_source->allow = {"docker.io/library/base"};
  const Error error = fixture.fail();
  CHECK(error.message().find("fleet.json:4: base_source: base image 'tools'") != std::string::npos);
  CHECK(fixture.pushed("acme/app:1").empty());
}

TEST_CASE(
    "an image that only a trigger names is held against the rules about the target that the trigger is executed in") {
  for (const bool is_of_fleet : {false, true}) {
    CAPTURE(is_of_fleet);
    BuildFixture fixture;
    fixture.bases.add("tools", {{"t", "1"}});
    oci::ContainerConfig config;
    if (!is_of_fleet) config.on_build = {"COPY --from=tools /t /t"};
    fixture.bases.add("base", {{"etc/os-release", "ID=debian\n"}}, config);
    // The target that no rule is about takes the same image, where a line tells of it.
    fixture.target("aaa", "FROM base\nCOPY --from=tools /t /t\n").outputs = {"type=registry"};
    const std::string stages =
        is_of_fleet ? "FROM base AS p\nONBUILD COPY --from=tools /t /t\nFROM p\n" : "FROM base\n";
    fixture.target("svc-x", stages).outputs = {"type=registry"};
    BaseSourceRule rule = rule_at<BaseSourceRule>(PolicyLevel::deny, 4);
    rule.allow = {"docker.io/library/base"};
    rule.images = {"svc-*"};
    fixture.request.fleet.settings.policy.base_source = rule;
    const Error error = fixture.fail();
    CHECK(error.message().find("fleet.json:4: base_source: base image 'tools'") != std::string::npos);
    CHECK(fixture.pushed("acme/svc-x:1").empty());
    rule.images = {"other-*"};
    fixture.request.fleet.settings.policy.base_source = rule;
    fixture.build();
    CHECK_FALSE(fixture.pushed("acme/svc-x:1").empty());
  }
}

TEST_CASE("a base that became another one during the build is checked again for every target that takes it") {
  for (const bool is_about_service : {false, true}) {
    CAPTURE(is_about_service);
    BuildFixture fixture;
    fixture.bases.add("base", {{"etc/os-release", "ID=debian\n"}});
    fixture.bases.describe("base", oci::sha256_of("1"), "2023-11-01T00:00:00Z");
    // The tag is moved between the look at the base and the end of the build.
    fixture.runner.on("make", [&](const RunCall&) {
      fixture.bases.describe("base", oci::sha256_of("2"), "2020-01-01T00:00:00Z");
      return 0;
    });
    fixture.target("aaa", "FROM base\nRUN make\n").outputs = {"type=registry"};
    fixture.target("svc-y", "FROM base\nRUN make\n").outputs = {"type=registry"};
    BaseAgeRule rule = rule_at<BaseAgeRule>(PolicyLevel::deny, 4);
    rule.days = 90;
    rule.images = {is_about_service ? "svc-*" : "aaa"};
    fixture.request.fleet.settings.policy.base_age = rule;
    const Error error = fixture.fail();
    CHECK(error.message().find(":1: base_age: base image 'base' is 1413 days old") != std::string::npos);
    CHECK(fixture.pushed("acme/aaa:1").empty());
    CHECK(fixture.pushed("acme/svc-y:1").empty());
  }
}

TEST_CASE("a build that keeps the policy says nothing of it") {
  BuildFixture fixture;
  add_pushed_image(fixture, "FROM base\nRUN make\nUSER app\n");
  PolicyRules& policy = fixture.request.fleet.settings.policy;
  policy.user = rule_at<PolicyRule>(PolicyLevel::deny, 4);
  policy.size = rule_at<SizeRule>(PolicyLevel::deny, 5);
  policy.size->max_bytes = 1'000'000;
  policy.packages = rule_at<PackagesRule>(PolicyLevel::deny, 6);
  policy.packages->forbid = {{PackagePattern::parse("pkg:pypi/x", ""), "", 6}};
  CHECK(fixture.build().report.policy.empty());
  CHECK_FALSE(fixture.pushed("acme/app:1").empty());
  policy.size->max_bytes = 10;
  CHECK(fixture.fail().message().find("size: the image weighs") != std::string::npos);
}
