#include "builder/build/earlier_steps.hpp"

#include <utility>
#include <variant>

#include "builder/dockerfile/stage_name.hpp"
#include "builder/plan/forecast.hpp"

namespace kiln {

namespace {

// By target, then by image.
std::vector<std::string> names_of(const std::string& target, const std::string& image, const std::string& stage,
                                  const std::string& text) {
  return {"target " + target + "\n" + stage + "\n" + text, "image " + image + "\n" + stage + "\n" + text};
}

}  // namespace

EarlierSteps::EarlierSteps(const BuildRecordStore& store, const fs::path& fleet, std::size_t most_builds) {
  const std::vector<std::string> ids = store.ids();
  for (std::size_t i = 0; i < ids.size() && i < most_builds; ++i) {
    const auto record = store.load(ids[ids.size() - 1 - i]);
    if (!record || (!record->fleet.empty() && record->fleet != fleet)) continue;
    for (const BuildRecordTarget& target : record->targets) {
      for (const BuildRecordStep& step : target.steps) {
        if (step.outcome == StepOutcome::failed) continue;
        for (const std::string& name : names_of(target.name, target.image, step.stage, step.text))
          steps_.emplace(name, step);
        at_lines_.emplace(std::tuple(target.name, step.stage, step.line), step);
      }
    }
  }
}

const BuildRecordStep* EarlierSteps::find(const std::string& target, const std::string& image, const std::string& stage,
                                          const std::string& text) const {
  for (const std::string& name : names_of(target, image, stage, text)) {
    const auto it = steps_.find(name);
    if (it != steps_.end()) return &it->second;
  }
  return nullptr;
}

const BuildRecordStep* EarlierSteps::find_at(const std::string& target, const std::string& stage, int line) const {
  const auto it = at_lines_.find(std::tuple(target, stage, line));
  return it == at_lines_.end() ? nullptr : &it->second;
}

std::vector<ExpectedStage> expected_stages(const Plan& plan, const std::set<std::size_t>& wanted,
                                           const EarlierSteps& earlier) {
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> numbers;  // of the result, by target and stage
  std::map<StageView, std::size_t> by_view;
  std::vector<ExpectedStage> stages;
  const std::set<std::size_t> needed = plan.closure(wanted);
  for (const std::size_t target : needed) {
    const PlannedTarget& planned = *plan.targets[target];
    for (std::size_t stage = 0; stage < planned.bases.size(); ++stage) {
      numbers[{target, stage}] = stages.size();
      ExpectedStage& expected = stages.emplace_back();
      expected.stage = {planned.target.name, dockerfile::display_name(planned.dockerfile, stage),
                        planned.target.platform().str()};
      by_view[expected.stage] = stages.size() - 1;
    }
  }
  for (const std::size_t target : needed) {
    const PlannedTarget& planned = *plan.targets[target];
    for (std::size_t stage = 0; stage < planned.bases.size(); ++stage) {
      ExpectedStage& expected = stages[numbers.at({target, stage})];
      for (const std::size_t need : planned.needs[stage]) expected.needs.push_back(numbers.at({target, need}));
      const auto add_parent = [&](std::size_t parent) {
        expected.needs.push_back(numbers.at({parent, plan.targets[parent]->final_stage}));
      };
      if (const auto* base = std::get_if<FleetBase>(&planned.bases[stage]); base && needed.count(base->target))
        add_parent(base->target);
      if (stage == planned.final_stage) {
        for (const std::size_t parent : planned.fleet_parents) add_parent(parent);
      }
    }
  }
  for (const ForeseenTarget& target : lay_out_forecast(plan, wanted).targets) {
    for (const ForeseenStep& step : target.steps) {
      const BuildRecordStep* before = earlier.find(target.name, target.image, step.stage, step.text);
      if (!before) before = earlier.find_at(target.name, step.stage, step.line);
      const auto stage = by_view.find({target.name, step.stage, target.platform});
      if (before && stage != by_view.end()) stages[stage->second].seconds[step.line] = before->seconds;
    }
  }
  return stages;
}

}  // namespace kiln
