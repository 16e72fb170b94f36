#include "builder/report/miss_causes.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/count_of.hpp"
#include "base/text.hpp"
#include "builder/steps/events.hpp"

namespace kiln {

namespace {

bool is_of_below(const InputDifference& difference) {
  const auto type = input_type(difference.name);
  return type == InputType::parent_layer || type == InputType::base_image;
}

}  // namespace

bool MissCause::is_first_build() const {
  if (!step->differences.empty() || step->miss_kind != MissKind::first_build) return false;
  return std::none_of(target->steps.begin(), target->steps.end(),
                      [](const BuildRecordStep& other) { return other.outcome == StepOutcome::hit; });
}

std::string MissCause::text() const {
  const std::string place =
      step->line ? fmt::format("{}:{}", printable(step->file), step->line) : printable(step->file);
  const auto own = std::find_if_not(step->differences.begin(), step->differences.end(), is_of_below);
  std::string text;
  if (own == step->differences.end()) {
    text = fmt::format("{}: {}", place,
                       step->differences.empty() ? printable(step->reason) : to_text(step->differences.front()));
  } else if (const auto type = input_type(own->name); type == InputType::command || type == InputType::script) {
    text = place + " changed";
  } else {
    text = fmt::format("{}: {}", place, to_text(*own));
  }
  if (rebuilt.empty()) return text;
  return fmt::format("{}; {} rebuilt because of it", text, count_of(rebuilt.size(), "image"));
}

void MissSum::add(const BuildRecordTarget& target) {
  for (const BuildRecordStep& step : target.steps) {
    if (step.outcome == StepOutcome::hit) {
      ++hits;
      continue;
    }
    ++misses;
    seconds += step.seconds;
    bytes += step.bytes;
  }
}

MissCauses::MissCauses(const BuildRecord& record) : record_(record) {
  for (const BuildRecordTarget& target : record.targets) {
    for (const BuildRecordStep& step : target.steps) {
      if (step.outcome != StepOutcome::hit && !step.key.empty()) executed_.try_emplace(step.key, Miss{&target, &step});
    }
  }
  for (const BuildRecordTarget& target : record.targets) {
    const MissCause* cause = find(target);
    if (cause && cause->target != &target && first_miss(target).step) causes_[cause->step].rebuilt.push_back(&target);
  }
}

MissCauses::Miss MissCauses::first_miss(const BuildRecordTarget& target) const {
  for (const BuildRecordStep& step : target.steps) {
    if (step.outcome != StepOutcome::hit) return {&target, &step};
    const auto executed = executed_.find(step.key);
    if (executed != executed_.end()) return executed->second;
  }
  return {};
}

const MissCause* MissCauses::find_below(const BuildRecordTarget& target) {
  for (const BuildRecordTarget& parent : record_.targets) {
    const bool is_parent = parent.platform == target.platform &&
                           std::find(target.parents.begin(), target.parents.end(), parent.name) != target.parents.end();
    if (!is_parent) continue;
    if (const MissCause* cause = find(parent)) return cause;
  }
  return nullptr;
}

// That of the lowest image whose change reaches the target, else of the target's own first miss.
const MissCause* MissCauses::find(const BuildRecordTarget& target) {
  const auto [known, is_first] = cause_of_.try_emplace(&target, nullptr);
  if (!is_first) return known->second;
  const Miss miss = first_miss(target);
  const bool is_from_below =
      !miss.step || std::any_of(miss.step->differences.begin(), miss.step->differences.end(), is_of_below);
  const MissCause* cause = is_from_below ? find_below(target) : nullptr;
  if (!cause && miss.step) {
    MissCause& own = causes_[miss.step];
    own.target = miss.target;
    own.step = miss.step;
    cause = &own;
  }
  return cause_of_[&target] = cause;
}

std::vector<const MissCause*> MissCauses::all() const {
  std::vector<const MissCause*> all;
  for (const BuildRecordTarget& target : record_.targets) {
    const MissCause* cause = of(target);
    if (cause && std::find(all.begin(), all.end(), cause) == all.end()) all.push_back(cause);
  }
  return all;
}

const MissCause* MissCauses::of(const BuildRecordTarget& target) const {
  const auto found = cause_of_.find(&target);
  return found == cause_of_.end() ? nullptr : found->second;
}

}  // namespace kiln
