#include "builder/plan/forecast.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "builder/plan/forecast_drawing.hpp"
#include "builder/plan/forecast_json.hpp"

using namespace kiln;

namespace {

TargetSpec target(const std::string& image, const std::string& dockerfile, const std::string& profile = "") {
  TargetSpec result;
  result.image = image;
  result.name = profile.empty() ? image : image + "-" + profile;
  if (!profile.empty()) result.profile = Profile{profile, {}, {}, {}, {}};
  result.dockerfile_text = dockerfile;
  result.dockerfile_name = image + "/Dockerfile";
  return result;
}

Plan fleet() {
  FleetNames names;
  names.bare_names = BareNames::fleet_only;
  return make_plan(
      {target("app", "FROM base AS build\nRUN make\n\nFROM base\nWORKDIR /app\nCOPY --from=build /out .\n", "a"),
       target("app", "FROM base AS build\nRUN make\n\nFROM base\nWORKDIR /app\nCOPY --from=build /out .\n", "b"),
       target("base", "FROM scratch\nCOPY . /\n"),
       target("other", "FROM scratch AS unused\nRUN x\nFROM scratch\nADD a /\n")},
      names);
}

void set(ForeseenTarget& target, std::size_t step, Expectation expectation, const std::string& key, double seconds) {
  target.steps.at(step).expectation = expectation;
  target.steps.at(step).key = key;
  target.steps.at(step).seconds = seconds;
  target.steps.at(step).bytes = 1000;
}

Forecast looked_up() {
  Forecast forecast = lay_out_forecast(fleet(), {0, 1});
  set(forecast.targets[0], 0, Expectation::hit, "k0", 9);
  for (const std::size_t number : {1, 2}) {
    set(forecast.targets[number], 0, Expectation::build, "k1", 10);
    set(forecast.targets[number], 1, Expectation::hit, "k2", 1);
    forecast.targets[number].steps[2].reason = "unknown until 'RUN make' is built";
  }
  return forecast;
}

}  // namespace

TEST_CASE("a forecast has what is wanted and its parents, parents first, by wave") {
  const Forecast forecast = lay_out_forecast(fleet(), {0, 1});
  REQUIRE(forecast.targets.size() == 3);
  CHECK(forecast.targets[0].name == "base");
  CHECK(forecast.targets[0].wave == 0);
  CHECK_FALSE(forecast.targets[0].wanted);
  CHECK(forecast.targets[1].wave == 1);
  CHECK(forecast.targets[1].wanted);
  CHECK(forecast.targets[1].parents == std::vector<std::string>{"base"});
  CHECK(forecast.find("other") == nullptr);
}

TEST_CASE("equal reasons are told once, with the steps and targets that have them") {
  Forecast forecast = looked_up();
  forecast.targets[1].steps[0].reason = forecast.targets[2].steps[0].reason = "file a changed";
  forecast.targets[0].steps[0].reason = "local";
  const auto reasons = forecast.reasons();
  REQUIRE(reasons.size() == 2);
  CHECK(reasons[0].text == "file a changed");
  CHECK(reasons[0].steps == 2);
  CHECK(reasons[0].targets == std::vector<std::string>{"app-a", "app-b"});
  CHECK(reasons[1].text == "unknown until 'RUN make' is built");
  const auto json = nlohmann::json::parse(forecast_json(forecast));
  CHECK(json["reasons"][1]["targets"] == nlohmann::json{"app-a", "app-b"});
}

TEST_CASE("a target has the bytes that its layers would come to") {
  const Forecast forecast = looked_up();
  CHECK(Forecast::bytes_of(forecast.targets[0]) == 0);
  CHECK(Forecast::bytes_of(forecast.targets[1]) == 1000);
  CHECK(nlohmann::json::parse(forecast_json(forecast))["targets"][1]["bytes_to_push"] == 1000);
}

TEST_CASE("only the stages that are built have steps, with their lines") {
  const Forecast forecast = lay_out_forecast(fleet(), {3});
  REQUIRE(forecast.targets.size() == 1);
  REQUIRE(forecast.targets[0].steps.size() == 1);
  CHECK(forecast.targets[0].steps[0].text == "ADD a /");
  CHECK(forecast.targets[0].steps[0].line == 4);
  CHECK(forecast.targets[0].steps[0].expectation == Expectation::unknown);
}

TEST_CASE("totals count a shared step once and the longest chain for itself") {
  const Forecast forecast = looked_up();
  const auto totals = forecast.totals();
  CHECK(totals.hits == 2);
  CHECK(totals.builds == 1);
  CHECK(totals.unknowns == 2);
  CHECK(totals.seconds == 10);
  CHECK(totals.longest_seconds == 10);
  CHECK(totals.bytes == 1000);
  CHECK(totals.without_record == 2);
  CHECK(forecast.targets[0].is_unchanged());
  CHECK_FALSE(forecast.targets[1].is_unchanged());
}

TEST_CASE("the JSON says of each step what is expected and why") {
  const auto json = nlohmann::json::parse(forecast_json(looked_up()));
  CHECK(json["schema_version"] == 1);
  CHECK(json["targets"][1]["steps"][0]["expectation"] == "build");
  CHECK(json["targets"][1]["steps"][2]["reason"] == "unknown until 'RUN make' is built");
  CHECK(json["targets"][1]["steps"][2]["seconds"].is_null());
  CHECK(json["targets"][0]["unchanged"] == true);
  CHECK(json["totals"]["builds"] == 1);
}

TEST_CASE("drawings hold every target and edge, and hostile names as text") {
  Forecast forecast = looked_up();
  forecast.targets[0].problems = {{ProblemKind::would_fail, "no <such> \"file\" & more"}};
  const std::string svg = forecast_svg(forecast);
  CHECK(svg.find("app: 2 profiles") != std::string::npos);
  CHECK(svg.find("no &lt;such&gt; &quot;file&quot; &amp; more") != std::string::npos);
  std::size_t edges = 0;
  for (std::size_t at = svg.find("class=\"edge\""); at != std::string::npos; at = svg.find("class=\"edge\"", at + 1))
    ++edges;
  CHECK(edges == 2);
  forecast.targets[0].name = "a\"b";
  const std::string dot = forecast_dot(forecast);
  CHECK(dot.find("\"a\\\"b\" [label=") != std::string::npos);
  CHECK(dot.find("\"base\" -> \"app-a\";") != std::string::npos);
}

TEST_CASE("what could not be asked for is told apart from what would fail") {
  Forecast forecast = looked_up();
  const auto kind = [&] { return nlohmann::json::parse(forecast_json(forecast))["targets"][0]["problem_kind"]; };
  CHECK(kind().is_null());
  forecast.targets[0].problems = {{ProblemKind::would_fail, "no such file"}};
  CHECK(kind() == "would-fail");
  CHECK(forecast.has_problem(ProblemKind::would_fail));
  CHECK_FALSE(forecast.has_problem(ProblemKind::unreachable));
  forecast.targets[0].problems = {{ProblemKind::unreachable, "no such host"}};
  CHECK(kind() == "unreachable");
  CHECK_FALSE(forecast.has_problem(ProblemKind::would_fail));
  CHECK(forecast.has_problem(ProblemKind::unreachable));
  CHECK(forecast_svg(forecast).find("cannot be told") != std::string::npos);
  forecast.targets[0].problems.push_back({ProblemKind::would_fail, "no such file"});
  CHECK(kind() == "would-fail");
  CHECK(forecast.targets[0].problem() == "no such host; no such file");
  CHECK(forecast_svg(forecast).find("cannot be told") == std::string::npos);
}
