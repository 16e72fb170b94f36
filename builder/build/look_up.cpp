// look_up(): the layout of a forecast filled in with what the caches answer and what earlier builds took.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "builder/build/build.hpp"
#include "builder/build/earlier_steps.hpp"
#include "builder/build/workshop.hpp"
#include "builder/dockerfile/stage_name.hpp"

namespace kiln {

namespace {

using StepPlace = std::tuple<std::string, std::string, std::string, int>;  // target, platform, stage, line

void foretell(const EarlierSteps& earlier, const ForeseenTarget& target, ForeseenStep& step) {
  const BuildRecordStep* before = earlier.find(target.name, target.image, step.stage, step.text);
  if (!before) return;
  step.seconds = before->seconds;
  step.bytes = before->bytes;
  step.identity = before->key;
}

// What has to be built before the steps of a stage are known.
class Obstacles {
 public:
  Obstacles(const Plan& plan, const std::map<StepPlace, std::string>& misses) : plan_(plan), misses_(misses) {}

  std::string of_stage(std::size_t target, std::size_t stage) const {
    const PlannedTarget& planned = *plan_.targets[target];
    const std::string name = dockerfile::display_name(planned.dockerfile, stage);
    const std::string platform = planned.target.platform().str();
    const auto first = misses_.lower_bound({planned.target.name, platform, name, 0});
    if (first != misses_.end() && std::get<0>(first->first) == planned.target.name &&
        std::get<1>(first->first) == platform && std::get<2>(first->first) == name)
      return first->second;
    for (const std::size_t needed : planned.needs[stage]) {
      if (std::string found = of_stage(target, needed); !found.empty()) return found;
    }
    if (std::holds_alternative<DebianBase>(planned.bases[stage])) {
      const auto debian = misses_.find({planned.target.name, platform, "", 0});
      if (debian != misses_.end()) return debian->second;
    }
    if (const auto* parent = std::get_if<FleetBase>(&planned.bases[stage])) {
      if (std::string found = of_target(parent->target); !found.empty()) return found;
    }
    for (const std::size_t parent : planned.fleet_parents) {
      if (std::string found = of_target(parent); !found.empty()) return found;
    }
    return "";
  }

  std::string of_target(std::size_t target) const { return of_stage(target, plan_.targets[target]->final_stage); }

 private:
  const Plan& plan_;
  const std::map<StepPlace, std::string>& misses_;
};

std::string shown(const StepView& step) {
  constexpr std::size_t kLength = 60;
  const std::string text = step.text.size() > kLength ? step.text.substr(0, kLength) + "..." : step.text;
  return step.line ? fmt::format("'{}' ({}:{})", text, step.file, step.line)
                   : fmt::format("'{}' ({})", text, step.file);
}

// A forecast goes by no observer.
void mask(Forecast& forecast, const SecretValues& secrets) {
  for (std::string& note : forecast.notes) note = secrets.masked(note);
  for (ForeseenTarget& target : forecast.targets) {
    for (ForeseenProblem& problem : target.problems) problem.text = secrets.masked(problem.text);
    for (ForeseenStep& step : target.steps) {
      if (step.expectation != Expectation::hit) step.reason = secrets.masked(step.reason);
    }
  }
}

Forecast forecast_of(const BuildRequest& request, const Plan& plan, const BuildSurroundings& surroundings,
                     const SecretValues& secrets) {
  const std::vector<std::size_t> numbers_wanted = wanted_of(plan, request);
  const std::set<std::size_t> wanted(numbers_wanted.begin(), numbers_wanted.end());
  Workshop shop(request.settings, surroundings, secrets);
  StepForecast steps(shop.lookup());
  const auto [problems, would_lock] = shop.look_up(plan, wanted, steps);
  shop.cancel().check();
  shop.stat_cache().flush();
  const std::vector<ForeseenAnswer> answers = steps.answers();
  std::map<StepPlace, std::string> missed;
  for (const ForeseenAnswer& answer : answers) {
    if (answer.is_hit) continue;
    const StepView& view = answer.view;
    missed.emplace(StepPlace{view.target, view.platform, view.stage, view.line}, shown(view));
  }

  Forecast forecast = lay_out_forecast(plan, wanted);
  for (const auto& [name, sentence] : would_lock) forecast.notes.push_back(sentence);
  const Obstacles obstacles(plan, missed);
  const EarlierSteps earlier(BuildRecordStore(shop.home().builds()),
                             fs::absolute(request.fleet.folder).lexically_normal());
  std::map<std::pair<std::string, std::string>, std::size_t> numbers;  // by name and platform
  for (std::size_t i = 0; i < plan.targets.size(); ++i)
    numbers[{plan.targets[i]->target.name, plan.targets[i]->target.platform().str()}] = i;
  for (ForeseenTarget& target : forecast.targets) {
    const std::size_t number = numbers.at({target.name, target.platform});
    const PlannedTarget& planned = *plan.targets[number];
    if (const auto it = problems.find(number); it != problems.end()) {
      for (const Error& error : it->second) {
        const bool is_out_of_reach = error.category() == Category::network;
        target.problems.push_back(
            {is_out_of_reach ? ProblemKind::unreachable : ProblemKind::would_fail, error.message()});
      }
    }
    std::map<StepPlace, const ForeseenAnswer*> known;
    for (const ForeseenAnswer& step : answers) {
      if (step.view.target != target.name || step.view.platform != target.platform) continue;
      known.emplace(StepPlace{target.name, target.platform, step.view.stage, step.view.line}, &step);
      if (!step.view.stage.empty()) continue;
      ForeseenStep debian;  // stands in no Dockerfile
      debian.file = step.view.file;
      debian.text = step.view.text;
      target.steps.insert(target.steps.begin(), std::move(debian));
    }
    for (ForeseenStep& step : target.steps) {
      foretell(earlier, target, step);
      const auto it = known.find({target.name, target.platform, step.stage, step.line});
      if (it != known.end()) {
        const StepResult& result = it->second->result;
        step.key = result.key;
        const bool is_hit = it->second->is_hit;
        step.expectation = is_hit ? Expectation::hit : Expectation::build;
        step.reason = is_hit ? result.from : result.reason;
        if (is_hit) {
          step.seconds = result.seconds;
          step.bytes = result.bytes;
        }
        if (step.stage.empty() && !is_hit && planned.target.debian) {
          const auto lock = would_lock.find(planned.target.debian->lock_name);
          if (lock != would_lock.end()) step.reason = lock->second;
        }
        continue;
      }
      for (std::size_t stage = 0; stage < planned.bases.size(); ++stage) {
        if (step.stage != dockerfile::display_name(planned.dockerfile, stage)) continue;
        const std::string obstacle = obstacles.of_stage(number, stage);
        step.reason = obstacle.empty() ? "unknown: see the problem of this target or of what it is built from"
                                       : "unknown until " + obstacle + " is built";
      }
    }
  }
  mask(forecast, secrets);
  return forecast;
}

}  // namespace

Forecast look_up(const BuildRequest& request, const BuildSurroundings& surroundings) {
  const Plan plan = plan_request(request);
  const SecretValues secrets = plan.secrets;
  return secrets.guard([&] { return forecast_of(request, plan, surroundings, secrets); });
}

}  // namespace kiln
