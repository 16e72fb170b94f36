#include "builder/plan/forecast.hpp"

#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "builder/dockerfile/reads.hpp"
#include "builder/dockerfile/stage_name.hpp"

namespace kiln {

namespace {

namespace df = dockerfile;

std::vector<ForeseenStep> steps_of(const PlannedTarget& planned) {
  std::vector<ForeseenStep> steps;
  for (const std::size_t number : needed_stages(planned)) {
    const df::Stage& stage = planned.dockerfile.stages[number];
    for (const df::Instruction& instruction : stage.instructions) {
      if (!df::makes_step(instruction)) continue;
      ForeseenStep step;
      step.stage = df::display_name(planned.dockerfile, number);
      step.file = planned.target.dockerfile_name;
      step.line = instruction.lines.first;
      step.text = instruction.original;
      std::replace(step.text.begin(), step.text.end(), '\n', ' ');
      steps.push_back(std::move(step));
    }
  }
  return steps;
}

}  // namespace

std::string_view to_string(Expectation expectation) {
  switch (expectation) {
    case Expectation::hit:
      return "hit";
    case Expectation::build:
      return "build";
    case Expectation::unknown:
      return "unknown";
  }
  return "unknown";
}

std::size_t ForeseenTarget::count(Expectation expectation) const {
  return static_cast<std::size_t>(std::count_if(
      steps.begin(), steps.end(), [&](const ForeseenStep& step) { return step.expectation == expectation; }));
}

bool Forecast::has_problem(ProblemKind kind) const {
  return std::any_of(targets.begin(), targets.end(),
                     [&](const ForeseenTarget& target) { return target.has_problem(kind); });
}

bool ForeseenTarget::has_problem(ProblemKind wanted_kind) const {
  return std::any_of(problems.begin(), problems.end(),
                     [&](const ForeseenProblem& problem) { return problem.kind == wanted_kind; });
}

std::string ForeseenTarget::problem() const {
  std::vector<std::string> texts;
  for (const ForeseenProblem& problem : problems) texts.push_back(problem.text);
  return join(texts, "; ");
}

bool ForeseenTarget::is_unchanged() const { return problems.empty() && count(Expectation::hit) == steps.size(); }

const ForeseenTarget* Forecast::find(const std::string& name) const {
  const auto it =
      std::find_if(targets.begin(), targets.end(), [&](const ForeseenTarget& target) { return target.name == name; });
  return it == targets.end() ? nullptr : &*it;
}

double Forecast::seconds_of(const ForeseenTarget& target) {
  double seconds = 0;
  for (const ForeseenStep& step : target.steps) {
    if (step.expectation != Expectation::hit) seconds += step.seconds.value_or(0);
  }
  return seconds;
}

std::uint64_t Forecast::bytes_of(const ForeseenTarget& target) {
  std::uint64_t bytes = 0;
  for (const ForeseenStep& step : target.steps) {
    if (step.expectation != Expectation::hit) bytes += step.bytes.value_or(0);
  }
  return bytes;
}

std::vector<Forecast::Reason> Forecast::reasons() const {
  std::vector<Reason> reasons;
  std::map<std::string_view, std::size_t> known;
  for (const ForeseenTarget& target : targets) {
    for (const ForeseenStep& step : target.steps) {
      if (step.expectation == Expectation::hit || step.reason.empty()) continue;
      const auto [number, is_new] = known.try_emplace(step.reason, reasons.size());
      if (is_new) reasons.push_back({step.reason, 0, {}});
      Reason& reason = reasons[number->second];
      ++reason.steps;
      if (reason.targets.empty() || reason.targets.back() != target.name) reason.targets.push_back(target.name);
    }
  }
  return reasons;
}

Forecast::Totals Forecast::totals() const {
  Totals totals;
  std::set<std::string> seen;
  std::map<std::string, double> ends;  // when a target is done where every step may begin at once
  for (const ForeseenTarget& target : targets) {
    double begin = 0;
    for (const std::string& parent : target.parents) begin = std::max(begin, ends[parent]);
    ends[target.name] = begin + seconds_of(target);
    totals.longest_seconds = std::max(totals.longest_seconds, ends[target.name]);
    for (const ForeseenStep& step : target.steps) {
      const std::string& identity = step.key.empty() ? step.identity : step.key;
      if (!identity.empty() && !seen.insert(identity).second) continue;
      if (step.expectation == Expectation::hit) {
        ++totals.hits;
        continue;
      }
      ++(step.expectation == Expectation::build ? totals.builds : totals.unknowns);
      if (!step.seconds) ++totals.without_record;
      totals.seconds += step.seconds.value_or(0);
      totals.bytes += step.bytes.value_or(0);
    }
  }
  return totals;
}

std::vector<std::size_t> waves_of(const Plan& plan) {
  std::vector<std::size_t> waves(plan.targets.size(), 0);
  for (const std::size_t number : plan.order()) {
    for (const std::size_t parent : plan.targets[number]->fleet_parents)
      waves[number] = std::max(waves[number], waves[parent] + 1);
  }
  return waves;
}

Forecast lay_out_forecast(const Plan& plan, const std::set<std::size_t>& wanted) {
  Forecast forecast;
  forecast.notes = plan.notes;
  const std::set<std::size_t> needed = plan.closure(wanted);
  const std::vector<std::size_t> waves = waves_of(plan);
  for (const std::size_t number : plan.order()) {
    if (!needed.count(number)) continue;
    const PlannedTarget& planned = *plan.targets[number];
    ForeseenTarget target;
    target.name = planned.target.name;
    target.image = planned.target.image;
    if (planned.target.profile) target.profile = planned.target.profile->name;
    target.platform = planned.target.platform().str();
    for (const std::size_t parent : planned.fleet_parents) target.parents.push_back(plan.targets[parent]->target.name);
    target.names = planned.target.names;
    target.wave = waves[number];
    target.wanted = wanted.count(number) > 0;
    target.steps = steps_of(planned);
    forecast.targets.push_back(std::move(target));
  }
  return forecast;
}

}  // namespace kiln
