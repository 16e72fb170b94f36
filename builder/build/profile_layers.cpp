#include "builder/build/profile_layers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "builder/build/build.hpp"
#include "builder/build/fleet_plan.hpp"
#include "builder/definitions/image_names.hpp"
#include "builder/definitions/profile.hpp"
#include "builder/plan/profile_reach.hpp"

namespace kiln {

namespace {

using Verdict = StepComparison::Verdict;

const TargetSpec& target_for(const Fleet& fleet, const std::string& image, const std::string& profile) {
  std::vector<std::string> known;
  bool is_known = false;
  for (const TargetSpec& target : fleet.targets) {
    if (target.image == image && target.profile && target.profile->name == profile) return target;
    is_known = is_known || target.image == image;
    if (target.profile) known.push_back(target.image);
  }
  if (is_known)
    throw Error(Category::usage, fmt::format("'{}' is not baked for the profile '{}'", printable(image), profile));
  throw Error(Category::usage, fmt::format("there is no image '{}'{}", printable(image), suggestion(image, known)));
}

std::size_t number_of(const Plan& plan, const std::string& name) {
  for (std::size_t i = 0; i < plan.targets.size(); ++i) {
    if (plan.targets[i]->target.name == name) return i;
  }
  throw Error(Category::usage, fmt::format("the plan has no target '{}'", printable(name)));
}

// The build arguments that the two profiles give different values, their names included.
std::set<std::string> different_arguments(const Profile& profile, const Profile& other) {
  const auto a = profile_build_args(profile);
  const auto b = profile_build_args(other);
  std::set<std::string> names;
  for (const auto& [name, value] : a) {
    if (!b.count(name) || b.at(name) != value) names.insert(name);
  }
  for (const auto& [name, value] : b) {
    if (!a.count(name)) names.insert(name);
  }
  return names;
}

// The names of the stages whose layers are the image's own, and the target below them.
struct LayerChain {
  std::set<int> stage_lines;  // of FROM
  std::optional<std::size_t> parent;
};

LayerChain chain_of(const PlannedTarget& target) {
  LayerChain chain;
  std::size_t stage = target.final_stage;
  while (true) {
    chain.stage_lines.insert(target.dockerfile.stages[stage].lines.first);
    const NameMeaning& base = target.bases[stage];
    if (const auto* parent = std::get_if<FleetBase>(&base)) chain.parent = parent->target;
    const auto* below = std::get_if<StageBase>(&base);
    if (!below) return chain;
    stage = below->stage;
  }
}

// Whether the instruction at a line belongs to one of the chain's stages.
bool is_in_chain(const PlannedTarget& target, const LayerChain& chain, int line) {
  int stage_line = 0;
  for (const auto& stage : target.dockerfile.stages) {
    if (stage.lines.first <= line) stage_line = stage.lines.first;
  }
  return chain.stage_lines.count(stage_line) != 0;
}

class Comparison {
 public:
  Comparison(const Plan& plan, const Forecast& forecast, std::set<std::string> arguments)
      : plan_(plan), forecast_(forecast), arguments_(std::move(arguments)) {}

  // The steps of two targets of one image, those of their bases first.
  void compare(std::size_t a, std::size_t b, std::vector<StepComparison>& steps) const {
    const PlannedTarget& first = *plan_.targets[a];
    const LayerChain chain = chain_of(first);
    const LayerChain other_chain = chain_of(*plan_.targets[b]);
    if (chain.parent && other_chain.parent) compare(*chain.parent, *other_chain.parent, steps);
    const auto reach = a == b ? std::map<int, std::vector<ReachCause>>{} : profile_reach(first, arguments_);
    const ForeseenTarget* foreseen = forecast_.find(first.target.name);
    const ForeseenTarget* other = forecast_.find(plan_.targets[b]->target.name);
    if (!foreseen || !other) return;
    for (std::size_t i = 0; i < foreseen->steps.size(); ++i) {
      const ForeseenStep& step = foreseen->steps[i];
      const ForeseenStep* twin = i < other->steps.size() ? &other->steps[i] : nullptr;
      StepComparison result;
      result.file = step.file;
      result.line = step.line;
      result.text = step.text;
      result.is_layer = step.line == 0 || is_in_chain(first, chain, step.line);
      const auto causes = reach.find(step.line);
      const bool keys_known = twin && !step.key.empty() && !twin->key.empty();
      const bool differs = keys_known ? step.key != twin->key : causes != reach.end();
      result.verdict = differs ? Verdict::differs : Verdict::shared;
      if (differs && causes != reach.end()) {
        for (const ReachCause& cause : causes->second) result.causes.push_back(to_text(cause));
      }
      result.bytes = step.bytes;
      result.other_bytes = twin ? twin->bytes : std::nullopt;
      steps.push_back(std::move(result));
    }
  }

 private:
  const Plan& plan_;
  const Forecast& forecast_;
  std::set<std::string> arguments_;
};

}  // namespace

std::string_view to_string(Verdict verdict) { return verdict == Verdict::shared ? "shared" : "differs"; }

ImageComparison::Totals ImageComparison::totals() const {
  Totals totals;
  for (const StepComparison& step : steps) {
    if (!step.is_layer) continue;
    const bool shared = step.verdict == Verdict::shared;
    (shared ? totals.shared_layers : totals.own_layers) += 1;
    if (!step.bytes || (!shared && !step.other_bytes)) ++totals.unmeasured;
    (shared ? totals.shared_bytes : totals.bytes) += step.bytes.value_or(0);
    if (!shared) totals.other_bytes += step.other_bytes.value_or(0);
  }
  return totals;
}

Plan plan_targets(const Fleet& fleet) {
  return plan_fleet(fleet, all_targets(fleet), {"", date_for_tags(now_unix_seconds()), std::nullopt});
}

ImageComparison compare_profiles(const Fleet& fleet, const Profile& profile, const Profile& other,
                                 const std::string& image, const BuildSurroundings& surroundings) {
  const TargetSpec& first = target_for(fleet, image, profile.name);
  const TargetSpec& second = target_for(fleet, image, other.name);
  refuse_problems({&first, &second});
  BuildRequest request;
  request.fleet = fleet;
  request.targets = {first.name, second.name};
  request.naming.date = date_for_tags(now_unix_seconds());
  request.settings = fleet_build_settings(fleet, "");
  request.settings.bases.lock_policy = LockPolicy::look;
  const Plan plan = plan_request(request);
  const std::size_t a = number_of(plan, first.name);
  const std::size_t b = number_of(plan, second.name);
  const Forecast forecast = look_up(request, surroundings);
  ImageComparison result;
  result.image = image;
  Comparison(plan, forecast, different_arguments(profile, other)).compare(a, b, result.steps);
  return result;
}

}  // namespace kiln
