#include "builder/policy/findings_output.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/support/check_error.hpp"

using namespace kiln;

namespace {

PolicyFinding a_finding(PolicyLevel level, const std::string& message, int line = 3) {
  return {"base_digest", level, "app", {"images/a,b/Dockerfile", line}, message, "do this"};
}

}  // namespace

TEST_CASE("a finding stands once, whichever of two profiles it was found for") {
  PolicyFindings findings;
  findings.add(a_finding(PolicyLevel::deny, "m"));
  PolicyFinding again = a_finding(PolicyLevel::deny, "m");
  again.image = "app-pc2";
  findings.add(again);
  findings.add(a_finding(PolicyLevel::deny, "m", 4));
  CHECK(findings.all().size() == 2);
}

TEST_CASE("findings as text begin with those that deny") {
  const std::string text = findings_text({a_finding(PolicyLevel::warn, "a"), a_finding(PolicyLevel::deny, "b", 0)});
  CHECK(text ==
        "deny base_digest images/a,b/Dockerfile: b\n  to satisfy it: do this\n"
        "warn base_digest images/a,b/Dockerfile:3: a\n  to satisfy it: do this\n");
  CHECK(findings_text({}).empty());
}

TEST_CASE("annotations are escaped as GitHub reads them") {
  CHECK(findings_annotations({a_finding(PolicyLevel::warn, "100% of: x\ny"), a_finding(PolicyLevel::deny, "b", 0)}) ==
        "::error file=images/a%2Cb/Dockerfile,line=1,title=kiln policy base_digest::b; do this\n"
        "::warning file=images/a%2Cb/Dockerfile,line=3,title=kiln policy base_digest::100%25 of: x%0Ay; do this\n");
}

TEST_CASE("SARIF has every rule, and an error for what denies") {
  const nlohmann::json run =
      findings_sarif({a_finding(PolicyLevel::warn, "a"), a_finding(PolicyLevel::deny, "b")})["runs"][0];
  CHECK(run["tool"]["driver"]["rules"].size() == kPolicyRules.size());
  CHECK(run["results"][0]["level"] == "warning");
  CHECK(run["results"][1]["level"] == "error");
  CHECK(run["results"][0]["message"]["text"] == "a; do this");
  CHECK(run["tool"]["driver"]["rules"][run["results"][0]["ruleIndex"].get<std::size_t>()]["id"] == "base_digest");
  const nlohmann::json place = run["results"][0]["locations"][0]["physicalLocation"];
  CHECK(place["artifactLocation"]["uri"] == "images/a%2Cb/Dockerfile");
  CHECK(place["region"]["startLine"] == 3);
}

TEST_CASE("JSON has all of a finding") {
  CHECK(findings_json({a_finding(PolicyLevel::deny, "b")}) ==
        nlohmann::json::parse(
            R"([{"rule": "base_digest", "level": "deny", "image": "app", "file": "images/a,b/Dockerfile",
                                   "line": 3, "message": "b", "fix": "do this"}])"));
}

TEST_CASE("what denies is an error of the build, one in its message and several in its detail") {
  CHECK_NOTHROW(refuse_denied({}));
  CHECK_NOTHROW(refuse_denied({a_finding(PolicyLevel::warn, "a")}));
  CHECK_ERROR(refuse_denied({a_finding(PolicyLevel::warn, "a"), a_finding(PolicyLevel::deny, "b")}), Category::build,
              "denied by the policy: images/a,b/Dockerfile:3: base_digest: b; do this");
  const auto error = test::caught_error([] {
    refuse_denied({a_finding(PolicyLevel::deny, "b"), a_finding(PolicyLevel::deny, "c", 5)});
  });
  REQUIRE(error);
  CHECK(error->message() == "denied by the policy (2 findings):");
  CHECK(error->detail() ==
        "  images/a,b/Dockerfile:3: base_digest: b; do this\n  images/a,b/Dockerfile:5: base_digest: c; do this\n");
}
