#include "builder/plan/forecast_json.hpp"

#include <nlohmann/json.hpp>

#include "base/json.hpp"

namespace kiln {

namespace {

using Json = nlohmann::ordered_json;

Json to_json(const ForeseenStep& step) {
  Json json = {{"stage", step.stage},
               {"file", step.file},
               {"line", step.line},
               {"text", step.text},
               {"expectation", to_string(step.expectation)},
               {"reason", step.reason}};
  json["key"] = step.key.empty() ? Json() : Json(step.key);
  json["seconds"] = step.seconds ? Json(*step.seconds) : Json();
  json["bytes"] = step.bytes ? Json(*step.bytes) : Json();
  return json;
}

Json problem_kind_of(const ForeseenTarget& target) {
  if (target.problems.empty()) return {};
  return target.has_problem(ProblemKind::would_fail) ? "would-fail" : "unreachable";
}

}  // namespace

std::string forecast_json(const Forecast& forecast) {
  Json targets = Json::array();
  for (const ForeseenTarget& target : forecast.targets) {
    Json steps = Json::array();
    for (const ForeseenStep& step : target.steps) steps.push_back(to_json(step));
    targets.push_back({{"name", target.name},
                       {"image", target.image},
                       {"profile", target.profile},
                       {"kind", target.kind},
                       {"platform", target.platform},
                       {"wave", target.wave},
                       {"parents", target.parents},
                       {"names", target.names},
                       {"wanted", target.wanted},
                       {"unchanged", target.is_unchanged()},
                       {"problem", target.problem()},
                       {"problem_kind", problem_kind_of(target)},
                       {"seconds", Forecast::seconds_of(target)},
                       {"bytes_to_push", Forecast::bytes_of(target)},
                       {"steps", steps}});
  }
  Json reasons = Json::array();
  for (const Forecast::Reason& reason : forecast.reasons())
    reasons.push_back({{"reason", reason.text}, {"steps", reason.steps}, {"targets", reason.targets}});
  const Forecast::Totals totals = forecast.totals();
  const Json json = {{"schema_version", 1},
                     {"targets", targets},
                     {"notes", forecast.notes},
                     {"reasons", reasons},
                     {"totals",
                      {{"hits", totals.hits},
                       {"builds", totals.builds},
                       {"unknowns", totals.unknowns},
                       {"seconds", totals.seconds},
                       {"longest_seconds", totals.longest_seconds},
                       {"bytes", totals.bytes},
                       {"without_record", totals.without_record}}}};
  return json_text(json, JsonLayout::indented) + "\n";
}

}  // namespace kiln
