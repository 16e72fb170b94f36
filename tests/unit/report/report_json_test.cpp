#include "builder/report/report_json.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "builder/report/network_sums.hpp"
#include "sample_report.hpp"
#include "schema_check.hpp"
#include "tests/support/check_error.hpp"

using namespace kiln;
using nlohmann::json;

TEST_CASE("percentages are rounded to two decimals and nothing is a share of zero") {
  struct Case {
    double part, whole;
    std::optional<double> percent;
  };
  for (const Case& c : std::vector<Case>{{0, 0, {}},
                                         {1, 0, {}},
                                         {0, 5, 0.0},
                                         {5, 5, 100.0},
                                         {1, 3, 33.33},
                                         {2, 3, 66.67},
                                         {1, 800, 0.13},
                                         {99999, 100000, 100.0},
                                         {1e18, 3e18, 33.33}}) {
    CAPTURE(c.part);
    CAPTURE(c.whole);
    CHECK(percent_of(c.part, c.whole) == c.percent);
  }
}

TEST_CASE("a reduction is the part of the baseline that went, negative where the image grew") {
  struct Case {
    std::uint64_t bytes, baseline;
    std::optional<double> reduction;
  };
  for (const Case& c : std::vector<Case>{{30, 100, 70.0},
                                         {100, 100, 0.0},
                                         {0, 100, 100.0},
                                         {150, 100, -50.0},
                                         {94405400, 412000000, 77.09},
                                         {1, 3, 66.67},
                                         {5, 0, {}},
                                         {0, 0, {}}}) {
    CAPTURE(c.bytes);
    CAPTURE(c.baseline);
    CHECK(reduction_of(c.bytes, c.baseline) == c.reduction);
  }
}

TEST_CASE("rates are the hits' share of steps, bytes and seconds") {
  const auto step = [](StepOutcome outcome, double seconds, std::uint64_t bytes) {
    ReportStep value;
    value.outcome = outcome;
    value.seconds = seconds;
    value.bytes = bytes;
    return value;
  };
  const ReportRates none = rates_of({});
  CHECK_FALSE(none.steps_pct);
  CHECK_FALSE(none.bytes_pct);
  CHECK_FALSE(none.seconds_pct);

  const ReportRates mixed =
      rates_of({step(StepOutcome::hit, 9, 100), step(StepOutcome::built, 2, 300), step(StepOutcome::failed, 1, 0)});
  CHECK(mixed.steps_pct == 33.33);
  CHECK(mixed.bytes_pct == 25.0);
  CHECK(mixed.seconds_pct == 75.0);

  const ReportRates empty_layers = rates_of({step(StepOutcome::hit, 0, 0)});
  CHECK(empty_layers.steps_pct == 100.0);
  CHECK_FALSE(empty_layers.bytes_pct);
  CHECK_FALSE(empty_layers.seconds_pct);
}

TEST_CASE("a report's JSON has every member of the contract") {
  const json root = json::parse(to_json_text(test::sample_report()));
  CHECK(root["schema_version"] == 1);
  CHECK(root["created"] == "2025-01-31T12:00:00Z");
  CHECK(root["seconds"] == 21.457);
  CHECK(root["wire"] == json{{"pushed_bytes", 31405400}, {"pulled_bytes", 0}, {"mounted_bytes", 63000000}});
  CHECK(root["rates"]["steps_pct"] == 80.0);
  const json& image = root["images"][2];
  CHECK(image["name"] == "memory-fusion-hub");
  CHECK(image["profile"] == "mainpc");
  CHECK(image["digest"] == test::digest_of("m2").str());
  CHECK(image["compressed_bytes"] == 94405400);
  CHECK(image["reduction_pct"] == 77.09);
  CHECK(image["baseline"]["kind"] == "dockerfile");
  CHECK(image["layers"][2]["line"] == 10);
  CHECK(root["images"][0]["baseline"].is_null());
  CHECK(root["images"][0]["reduction_pct"].is_null());
  const json& step = root["steps"][2];
  CHECK(step["key"] == "k3");
  CHECK(step["image"] == "memory-fusion-hub-mainpc");
  CHECK(step["shared_with"] == json{"memory-fusion-hub-pc2"});
  CHECK(step["outcome"] == "built");
  CHECK(step["seconds"] == 12.25);
  CHECK(root["sharing"][0]["text"] == "memory-fusion-hub mainpc and pc2 share all 4 layers, 94.4 MB");
}

TEST_CASE("a report and an empty report follow the JSON schema, and the schema refuses what is wrong") {
  const json schema = json::parse(read_file(KILN_REPORT_SCHEMA));
  test::SchemaCheck check(schema);
  CHECK(check.problems(json::parse(to_json_text(test::sample_report()))) == std::vector<std::string>{});
  CHECK(check.problems(json::parse(to_json_text(BuildReport{}))) == std::vector<std::string>{});

  json wrong = json::parse(to_json_text(test::sample_report()));
  wrong["steps"][0]["outcome"] = "maybe";
  wrong["images"][0]["digest"] = "sha256:abc";
  wrong["rates"]["steps_pct"] = 101;
  wrong["images"][1].erase("layers");
  wrong["schema_version"] = 2;
  CHECK(check.problems(wrong).size() == 5);
}

TEST_CASE("a report is read back as it was written") {
  const BuildReport report = test::sample_report();
  const std::string text = to_json_text(report);
  const BuildReport again = parse_report(text, "report", Category::machine);
  CHECK(to_json_text(again) == text);
  CHECK(again.images.size() == 4);
  CHECK(again.images[3].layers[1].digest == report.images[3].layers[1].digest);
  CHECK(again.steps[2].outcome == StepOutcome::built);
  CHECK(again.created == report.created);
  const std::string empty = to_json_text(BuildReport{});
  CHECK(to_json_text(parse_report(empty, "report", Category::machine)) == empty);
}

TEST_CASE("what RUN steps fetched is in the report, and summed up in its texts") {
  BuildReport report = test::sample_report();
  ReportStep& step = report.steps.front();
  step.text = "RUN fetch";
  step.network.emplace();
  step.network->add(Download{"http://a/1", "GET", 200, 3, oci::sha256_of("abc")});
  step.network->add(Tunnel{"pinned.example", 443, 1, 2'000});
  const json document = json::parse(to_json_text(report));
  const json schema = json::parse(read_file(KILN_REPORT_SCHEMA));
  CHECK(test::SchemaCheck(schema).problems(document) == std::vector<std::string>{});
  CHECK(document["steps"][0]["network"]["downloads"][0]["url"] == "http://a/1");
  CHECK(parse_report(to_json_text(report), "report", Category::machine).steps[0].network->tunnels.size() == 1);
  const std::vector<NetworkSum> sums = network_sums(report);
  REQUIRE(sums.size() == 1);
  CHECK(sums[0].words == "1 download and 1 host not looked into, 2.00 kB");
  CHECK(network_summary(test::sample_report()).empty());
}

TEST_CASE("members that a newer kiln added are passed over") {
  json root = json::parse(to_json_text(test::sample_report()));
  root["carbon"] = {{"grams", 3}};
  root["images"][0]["platform"] = "linux/amd64";
  CHECK(to_json_text(parse_report(root.dump(), "report", Category::machine)) == to_json_text(test::sample_report()));
}

TEST_CASE("what is no report is refused with the member that is wrong") {
  struct Case {
    const char* pointer;
    json value;
    const char* message;
  };
  const std::vector<Case> cases = {
      {"/schema_version", 2,
       "'r' is no report of kiln: /schema_version: expected 1, got 2; use the kiln that wrote it"},
      {"/schema_version", "1", "'r' is no report of kiln: /schema_version: expected a whole number, not negative"},
      {"/images", 3, "'r' is no report of kiln: /images: expected a list"},
      {"/images/0", "x", "'r' is no report of kiln: /images/0: expected an object"},
      {"/images/1/layers/0/digest", "sha256:zz",
       "'r' is no report of kiln: /images/1/layers/0/digest: expected a digest 'sha256:HEX'"},
      {"/images/1/layers/0/line", 3000000000u,
       "'r' is no report of kiln: /images/1/layers/0/line: expected a smaller number"},
      {"/images/1/layers/0/bytes", -1,
       "'r' is no report of kiln: /images/1/layers/0/bytes: expected a whole number, not negative"},
      {"/images/2/baseline/kind", "dockerfil",
       "'r' is no report of kiln: /images/2/baseline/kind: unknown kind of baseline 'dockerfil'; did you mean "
       "'dockerfile'?"},
      {"/steps/0/outcome", "miss", "'r' is no report of kiln: /steps/0/outcome: expected 'hit', 'built' or 'failed'"},
      {"/steps/0/shared_with", json{1}, "'r' is no report of kiln: /steps/0/shared_with: expected a list of strings"},
      {"/rates/bytes_pct", "70", "'r' is no report of kiln: /rates/bytes_pct: expected a number"},
      {"/targets/reduction_pct", json{55}, "'r' is no report of kiln: /targets/reduction_pct: expected two numbers"},
      {"/wire", json::object(), "'r' is no report of kiln: /wire: misses 'pushed_bytes'"},
  };
  for (const Case& c : cases) {
    json root = json::parse(to_json_text(test::sample_report()));
    root[json::json_pointer(c.pointer)] = c.value;
    CHECK_ERROR(parse_report(root.dump(), "r", Category::machine), Category::machine, c.message);
  }
  CHECK_ERROR(parse_report("", "r", Category::machine), Category::machine,
              doctest::Contains("r: line 1: syntax error while parsing value - unexpected end of input"));
  CHECK_ERROR(parse_report("[]", "r", Category::machine), Category::machine,
              "'r' is no report of kiln: expected an object");
  CHECK_ERROR(parse_report("{\"schema_version\": 1, \"schema_version\": 1}", "r", Category::machine), Category::machine,
              "r: line 1: duplicate key 'schema_version'");
  CHECK_ERROR(parse_report(std::string(2000, '['), "r", Category::machine), Category::machine,
              "r: line 1: nested deeper than 16 levels");
}

TEST_CASE("an instruction that is no UTF-8 does not stop a report") {
  BuildReport report;
  report.steps.push_back({});
  report.steps[0].text = "RUN echo \xff";
  CHECK(parse_report(to_json_text(report), "r", Category::machine).steps[0].text == "RUN echo \uFFFD");
}
