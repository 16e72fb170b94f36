#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/text.hpp"
#include "builder/build/build.hpp"
#include "builder/build/fleet_plan.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/exit_code.hpp"
#include "builder/cli/output/print_plan.hpp"
#include "builder/cli/output/stderr_log.hpp"
#include "builder/cli/words/build_surroundings.hpp"
#include "builder/cli/words/selected_fleet.hpp"
#include "builder/cli/words/words.hpp"
#include "builder/definitions/image_names.hpp"
#include "builder/definitions/load_fleet.hpp"
#include "builder/plan/forecast_drawing.hpp"
#include "builder/plan/forecast_json.hpp"

namespace kiln::cli {

namespace {

struct PlanWords {
  FleetWords fleet;
  std::string format = "text";
};

std::string kind_of(const Fleet& fleet, const std::string& name) {
  const TargetSpec* target = fleet.find(name);
  if (!target || fleet.front_end != FrontEnd::image_definitions) return "";
  switch (target->kind) {
    case ImageKind::base:
      return "base";
    case ImageKind::family:
      return "family";
    case ImageKind::service:
      return "service";
  }
  return "";
}

int run_plan(const PlanWords& words, const CancelToken& cancel) {
  const std::vector<std::string> formats = {"text", "json", "dot", "svg"};
  if (std::find(formats.begin(), formats.end(), words.format) == formats.end()) {
    throw Error(Category::usage, fmt::format("'--format {}' is not known{}", printable(words.format),
                                             suggestion(words.format, formats)));
  }
  StderrLog log;
  const DefinitionsSource source = find_definitions(words.fleet.definitions, cancel);
  const auto [fleet, selected, naming, fetched] =
      select_fleet(source.options, words.fleet.profiles, words.fleet.registry, MayFetch::yes, cancel, log);
  BuildRequest request;
  request.naming = naming;
  for (const TargetSpec* target : selected) request.targets.push_back(target->name);
  request.settings = fleet_build_settings(fleet, "");
  request.settings.bases.lock_policy = LockPolicy::look;
  request.fleet = fleet;
  Forecast forecast = look_up(request, surroundings_of({std::nullopt, true}, cancel));
  for (ForeseenTarget& target : forecast.targets) target.kind = kind_of(fleet, target.name);
  if (words.format == "json") {
    fmt::print("{}", forecast_json(forecast));
  } else if (words.format == "dot") {
    fmt::print("{}", forecast_dot(forecast));
  } else if (words.format == "svg") {
    fmt::print("{}", forecast_svg(forecast));
  } else {
    print_plan(forecast);
  }
  if (forecast.has_problem(ProblemKind::would_fail)) return exit_code_of(Category::build, cancel);
  return forecast.has_problem(ProblemKind::unreachable) ? exit_code_of(Category::network, cancel) : 0;
}

}  // namespace

void add_plan_command(Arguments& root) {
  const auto words = std::make_shared<PlanWords>();
  Arguments& plan = root.command("plan", "Show what a build of the fleet would do and why, before anything is built.");
  add_fleet_words(plan, words->fleet);
  plan.option("--format", words->format, "text (default), json, dot or svg")
      .handler([words](const CancelToken& cancel) { return run_plan(*words, cancel); });
}

}  // namespace kiln::cli
