#include "builder/build/build_log.hpp"

#include <algorithm>

#include "base/clock.hpp"

namespace kiln {

namespace {

BuildRecordTarget* find_target(std::vector<BuildRecordTarget>& targets, const std::string& name,
                               const std::string& platform) {
  const auto it = std::find_if(targets.begin(), targets.end(), [&](const BuildRecordTarget& target) {
    return target.name == name && target.platform == platform;
  });
  return it == targets.end() ? nullptr : &*it;
}

BuildRecordStep record_step(const HeardStep& heard) {
  BuildRecordStep step;
  step.stage = heard.view.stage;
  step.index = heard.view.index;
  step.file = heard.view.file;
  step.line = heard.view.line;
  step.text = heard.view.text;
  step.key = heard.result.key;
  step.outcome = heard.result.outcome;
  step.from = heard.result.from;
  step.reason = heard.result.reason;
  step.seconds = heard.result.seconds;
  step.bytes = heard.result.bytes;
  for (const LayerValue& layer : heard.result.layers) step.diff_ids.push_back(layer.diff_id);
  step.miss_kind = heard.result.miss_kind;
  step.against = heard.result.against;
  step.differences = heard.result.differences;
  return step;
}

}  // namespace

void BuildLog::add_targets(const Plan& plan, const std::set<std::size_t>& numbers) {
  for (const std::size_t number : numbers) {
    const TargetSpec& target = plan.targets[number]->target;
    if (find_target(record_.targets, target.name, target.platform().str())) continue;
    BuildRecordTarget& added = record_.targets.emplace_back();
    added.name = target.name;
    added.image = target.image;
    if (target.profile) added.profile = target.profile->name;
    added.platform = target.platform().str();
    added.file = target.dockerfile_name;
    added.names = target.names;
    for (const std::size_t parent : plan.targets[number]->fleet_parents)
      added.parents.push_back(plan.targets[parent]->target.name);
  }
}

void BuildLog::set_digest(const TargetSpec& target, const oci::Digest& manifest) {
  if (auto* found = find_target(record_.targets, target.name, target.platform().str())) found->digest = manifest;
}

BuildRecord BuildLog::record(const std::vector<HeardStep>& steps, const Run& run) const {
  BuildRecord record = record_;
  record.id = new_build_id();
  record.created = format_rfc3339(now_unix_seconds());
  record.kiln_version = run.kiln_version;
  record.seconds = run.seconds;
  record.failed = run.failed;
  for (const HeardStep& heard : steps) {
    if (auto* target = find_target(record.targets, heard.view.target, heard.view.platform))
      target->steps.push_back(record_step(heard));
  }
  return record;
}

}  // namespace kiln
