#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/build/build.hpp"
#include "builder/build/fleet_plan.hpp"
#include "builder/cli/commands/commands.hpp"
#include "builder/cli/output/print_table.hpp"
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

TextStyle style_of(Expectation expectation) {
  switch (expectation) {
    case Expectation::hit:
      return TextStyle::good;
    case Expectation::build:
      return TextStyle::bad;
    case Expectation::unknown:
      return TextStyle::dim;
  }
  return TextStyle::normal;
}

// An instruction as one line that leaves room for what is said of it.
std::string cut(const std::string& text) {
  constexpr std::size_t kLength = 60;
  std::string line;
  for (const char c : text) {
    if (c != ' ' || line.empty() || line.back() != ' ') line += c;
  }
  return line.size() > kLength ? line.substr(0, kLength) + "..." : line;
}

// `title`: its name and, where that names several platforms, its own.
void print_target(const ForeseenTarget& target, const std::string& title) {
  const std::string from = target.parents.empty() ? "" : " from " + join(target.parents, ", ");
  const double seconds = Forecast::seconds_of(target);
  fmt::print("{}{}{}{}\n", title, from, target.is_unchanged() ? ": unchanged" : "",
             seconds > 0 ? fmt::format(": about {}", human_seconds(seconds)) : "");
  if (!target.problem.empty()) fmt::print("  would fail: {}\n", printable(target.problem));
  if (target.is_unchanged()) return;
  TextTable table({TextTable::Align::left, TextTable::Align::left, TextTable::Align::right, TextTable::Align::right,
                   TextTable::Align::left},
                  4);
  for (const ForeseenStep& step : target.steps) {
    const std::string place = step.line ? fmt::format("{}:{}", step.file, step.line) : step.file;
    const std::string reason = step.expectation == Expectation::hit || step.reason.empty() ? "" : " - " + step.reason;
    table.add({{fmt::format("  {}", to_string(step.expectation)), style_of(step.expectation)},
               {place, TextStyle::dim},
               {step.seconds ? human_seconds(*step.seconds) : "?"},
               {step.bytes ? human_bytes(*step.bytes) : "?"},
               {printable(cut(step.text) + reason)}});
  }
  print_table(table);
}

void print_text(const Forecast& forecast) {
  for (const std::string& note : forecast.notes) fmt::print("note: {}\n", printable(note));
  std::size_t waves = 0;
  for (const ForeseenTarget& target : forecast.targets) waves = std::max(waves, target.wave + 1);
  for (std::size_t wave = 0; wave < waves; ++wave) {
    fmt::print("{}wave {}\n", wave ? "\n" : "", wave);
    for (const ForeseenTarget& target : forecast.targets) {
      if (target.wave != wave) continue;
      const bool is_one_of_several = std::any_of(
          forecast.targets.begin(), forecast.targets.end(),
          [&](const ForeseenTarget& other) { return other.name == target.name && other.platform != target.platform; });
      print_target(target, is_one_of_several ? fmt::format("{} ({})", target.name, target.platform) : target.name);
    }
  }
  const Forecast::Totals totals = forecast.totals();
  fmt::print("\n{} targets: {} steps hit, {} to build, {} unknown until then\n", forecast.targets.size(), totals.hits,
             totals.builds, totals.unknowns);
  if (totals.builds + totals.unknowns == 0) return;
  if (totals.without_record == totals.builds + totals.unknowns) {
    fmt::print("no earlier build here tells what these take\n");
    return;
  }
  fmt::print("at most {} of work, {} in the longest chain, {} of layers{}\n", human_seconds(totals.seconds),
             human_seconds(totals.longest_seconds), human_bytes(totals.bytes),
             totals.without_record
                 ? fmt::format("; no earlier build tells about {} of these steps", totals.without_record)
                 : "");
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
    print_text(forecast);
  }
  for (const ForeseenTarget& target : forecast.targets) {
    if (!target.problem.empty()) return 1;
  }
  return 0;
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
