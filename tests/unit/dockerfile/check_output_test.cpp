#include "builder/dockerfile/check_output.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/unit/dockerfile/support.hpp"

namespace kiln::dockerfile {
namespace {

const std::string kText = "FROM scratch\nMAINTAINER a\nNOPE\n";

TEST_CASE("text names rule, page, message and lines") {
  const std::string out = check_text(check(kText, "Dockerfile"), kText, "Dockerfile");
  CHECK(has(out, "warning: MaintainerDeprecated (docs/rules/maintainer-deprecated.md)\nMaintainer instruction"));
  CHECK(has(out, "2 | >>> MAINTAINER a"));
  CHECK(has(out, "error: Dockerfile:3: unknown instruction 'NOPE'"));
  CHECK(check_text(check("FROM scratch\n", "D"), "FROM scratch\n", "D").empty());
}

TEST_CASE("an error shows no password and no more of a long word than can be read") {
  for (const std::string& word :
       {std::string("https://me:canary@example.com/x"), "https://me:canary@example.com/" + std::string(50000, 'x')}) {
    const std::string text = "FROM scratch\n" + word + " y\n";
    const CheckReport report = check(text, "Dockerfile");
    for (const std::string& out : {check_text(report, text, "Dockerfile"), check_json(report, "Dockerfile").dump(),
                                   check_sarif(report, "Dockerfile").dump()}) {
      CHECK(has(out, "unknown instruction 'https://"));
      CHECK_FALSE(has(out, "canary"));
      CHECK((word.size() < 100 || (out.size() < 40000 && has(out, "bytes left out"))));
    }
  }
}

TEST_CASE("JSON holds the same") {
  const auto out = check_json(check(kText, "Dockerfile"), "Dockerfile");
  CHECK(out["file"] == "Dockerfile");
  CHECK(out["findings"][0]["rule"] == "MaintainerDeprecated");
  CHECK(out["findings"][0]["origin"] == "buildkit");
  CHECK(out["findings"][0]["start_line"] == 2);
  CHECK(has(out["error"], "unknown instruction"));
}

TEST_CASE("SARIF places every result in the file, under a rule it declares") {
  const auto out = check_sarif(check(kText, "a/Dockerfile"), "a/Dockerfile");
  CHECK(out["version"] == "2.1.0");
  const auto& run = out["runs"][0];
  REQUIRE(run["results"].size() == 2);
  for (const auto& result : run["results"]) {
    const auto& place = result["locations"][0]["physicalLocation"];
    CHECK(place["artifactLocation"]["uri"] == "a/Dockerfile");
    CHECK(place["region"]["startLine"].get<int>() > 1);
    const auto& rules = run["tool"]["driver"]["rules"];
    CHECK(std::any_of(rules.begin(), rules.end(), [&](const auto& rule) { return rule["id"] == result["ruleId"]; }));
  }
  CHECK(run["results"][1]["level"] == "error");
}

TEST_CASE("SARIF names files by URIs and lines from 1 on, and every rule's page") {
  const auto run = check_sarif(check("# nothing\n", "a b/Dockerfile"), "a b/Dockerfile")["runs"][0];
  const auto& place = run["results"].at(0)["locations"][0]["physicalLocation"];
  CHECK(place["artifactLocation"]["uri"] == "a%20b/Dockerfile");
  CHECK(place["region"]["startLine"].get<int>() >= 1);
  CHECK(has(run["tool"]["driver"]["rules"][0]["help"]["text"], "docs/rules/stage-name-casing.md"));
}

TEST_CASE("bytes that are no UTF-8 do not keep a report from being JSON") {
  const std::string text = "FROM scratch\nENV key \xff\nCOPY $\xc3\xa9\xff /\nCMD \x1b[31m\n";
  CHECK_NOTHROW(check_json(check(text, "D\xff"), "D\xff").dump());
  CHECK_NOTHROW(check_sarif(check(text, "D\xff"), "D\xff").dump());
}

}  // namespace
}  // namespace kiln::dockerfile
