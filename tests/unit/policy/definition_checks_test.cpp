#include "builder/policy/definition_checks.hpp"

#include <doctest/doctest.h>

#include "tests/unit/policy/policy_plan.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

std::vector<std::string> run_findings(const TargetSpec& target, const RunNetworkRule& rule) {
  const Plan plan = make_plan({target}, {});
  PolicyFindings findings;
  check_run_lines(rule, *plan.targets[0], needed_stages(*plan.targets[0]), findings);
  return shown(findings);
}

PolicyRules start_rules() {
  PolicyRules rules;
  rules.user = policy_rule<PolicyRule>();
  rules.healthcheck = policy_rule<PolicyRule>(PolicyLevel::warn);
  return rules;
}

std::vector<std::string> start_findings(const std::vector<TargetSpec>& targets, FakeInspector inspector = {}) {
  FleetNames names;
  names.registry_and_namespace = "ghcr.io/acme";
  const Plan plan = make_plan(targets, names);
  PolicyFindings findings;
  check_start(start_rules(), plan, targets.size() - 1, inspector, findings);
  return shown(findings);
}

}  // namespace

TEST_CASE("a RUN line has a network where it is listed only") {
  const TargetSpec target = policy_target("app",
                                          "FROM alpine\n"
                                          "RUN --network=none make\n"
                                          "RUN pip install \\\n  x\n"
                                          "RUN [\"curl\", \"x\"]\n"
                                          "ONBUILD RUN wget y\n");
  RunNetworkRule rule = policy_rule<RunNetworkRule>();
  CHECK(run_findings(target, rule) ==
        std::vector<std::string>{
            "deny run_network app/Dockerfile:3 'RUN pip install   x' has a network and is not listed",
            "deny run_network app/Dockerfile:5 'RUN curl x' has a network and is not listed",
            "deny run_network app/Dockerfile:6 'RUN wget y' has a network and is not listed"});
  rule.allow = {{"", "pip install *"}, {"other", "curl *"}, {"ap*", "wget ?"}};
  CHECK(run_findings(target, rule) ==
        std::vector<std::string>{"deny run_network app/Dockerfile:5 'RUN curl x' has a network and is not listed"});
  rule.allow = {{"app", ""}};
  CHECK(run_findings(target, rule).empty());
}

TEST_CASE("the network of a target counts for lines that name none") {
  TargetSpec target = policy_target("app", "FROM alpine\nRUN make\nRUN --network=host make it\n");
  target.network = NetworkMode::none;
  CHECK(run_findings(target, policy_rule<RunNetworkRule>(PolicyLevel::warn)) ==
        std::vector<std::string>{"warn run_network app/Dockerfile:3 'RUN make it' has a network and is not listed"});
}

TEST_CASE("a heredoc is listed by its text and shown by its first line") {
  const TargetSpec target = policy_target("app", "FROM alpine\nRUN <<EOF\napk add a\napk add b\nEOF\n");
  RunNetworkRule rule = policy_rule<RunNetworkRule>();
  CHECK(run_findings(target, rule).size() == 1);
  rule.allow = {{"", "apk add a*"}};
  CHECK(run_findings(target, rule).empty());
}

TEST_CASE("a program that runs as root, and an image without a HEALTHCHECK, are found by the lines that decide it") {
  CHECK(start_findings({policy_target("app", "FROM scratch\nUSER app\nHEALTHCHECK CMD true\n")}).empty());
  CHECK(start_findings({policy_target("app", "FROM scratch\nUSER app\nUSER 0:0\nHEALTHCHECK NONE\n")}) ==
        std::vector<std::string>{"deny user app/Dockerfile:3 the image's program runs as root",
                                 "warn healthcheck app/Dockerfile:4 the image has no HEALTHCHECK"});
  CHECK(start_findings({policy_target("app", "FROM scratch\n")}) ==
        std::vector<std::string>{"deny user app/Dockerfile:1 the image's program runs as root",
                                 "warn healthcheck app/Dockerfile:1 the image has no HEALTHCHECK"});
}

TEST_CASE("USER and HEALTHCHECK are inherited from stages, images of the fleet and bases") {
  const TargetSpec base = policy_target("base", "FROM alpine\nUSER app\n");
  FakeInspector inspector;
  inspector.known.has_healthcheck = true;
  CHECK(start_findings({base, policy_target("app", "FROM ghcr.io/acme/base AS a\nFROM a\n")}, inspector).empty());
  inspector.known.user = "nobody";
  CHECK(start_findings({policy_target("app", "FROM alpine\n")}, inspector).empty());
  inspector.known.user = "root";
  CHECK(start_findings({policy_target("app", "FROM alpine\n")}, inspector) ==
        std::vector<std::string>{"deny user app/Dockerfile:1 the image's program runs as root"});
}

TEST_CASE("what a variable hides, and a base that cannot be had, is left to the check of the image") {
  CHECK(start_findings({policy_target("app", "FROM scratch\nARG U=root\nUSER $U\nHEALTHCHECK CMD true\n")}).empty());
  FakeInspector inspector;
  inspector.problem = "gone";
  CHECK(start_findings({policy_target("app", "FROM alpine\n")}, inspector).empty());
}

TEST_CASE("without words about images these two rules are about services alone") {
  TargetSpec base = policy_target("base", "FROM scratch\n");
  base.kind = ImageKind::base;
  CHECK(start_findings({base}).empty());
}

TEST_CASE("root is known by its name, its number and by being what is meant where nothing is said") {
  for (const char* user : {"", "root", "0", "00", "root:app", "0:0", ":app", "+0", "-0", "+0:7"})
    CHECK(is_root_user(user));
  for (const char* user : {"app", "1000", "10:0", "rooty", "+1", "+", "-"}) CHECK_FALSE(is_root_user(user));
}
