#include "base/sarif.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace kiln;

TEST_CASE("SARIF has the members that GitHub's code scanning asks for") {
  const nlohmann::json log = sarif_log({{"a", "A rule", "Do this", ""}, {"b", "Another", "Do that", "docs/b.md"}},
                                       {{"b", SarifLevel::error, "message", "some folder/File", 4, 6}});
  CHECK(log["version"] == "2.1.0");
  CHECK(log["$schema"] == "https://json.schemastore.org/sarif-2.1.0.json");
  const nlohmann::json& run = log["runs"][0];
  CHECK(run["tool"]["driver"]["name"] == "kiln");
  for (const nlohmann::json& rule : run["tool"]["driver"]["rules"]) {
    for (const char* member : {"shortDescription", "fullDescription", "help"}) CHECK(rule[member]["text"].is_string());
  }
  CHECK(run["results"] == nlohmann::json::parse(R"([{"ruleId": "b", "ruleIndex": 1, "level": "error",
    "message": {"text": "message"}, "locations": [{"physicalLocation": {
      "artifactLocation": {"uri": "some%20folder/File"}, "region": {"startLine": 4, "endLine": 6}}}]}])"));
}

TEST_CASE("a result about a whole file stands at its first line, and nothing found is an empty list") {
  const nlohmann::json log =
      sarif_log({{"a", "A rule", "Do this", ""}}, {{"a", SarifLevel::warning, "m\xff", "F", 0, 0}});
  const nlohmann::json region = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"];
  CHECK(region == nlohmann::json::parse(R"({"startLine": 1, "endLine": 1})"));
  CHECK_NOTHROW(log.dump());
  CHECK(sarif_log({}, {})["runs"][0]["results"] == nlohmann::json::array());
}
