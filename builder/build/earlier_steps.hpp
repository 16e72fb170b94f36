#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "builder/cache/build_record.hpp"
#include "builder/plan/plan.hpp"
#include "builder/steps/events.hpp"

namespace kiln {

// What the steps of earlier builds here took, the newest first: by target, else by image. Never by their text alone:
// 'COPY . .' of another image says nothing.
class EarlierSteps {
 public:
  // Of builds of other fleets nothing is taken: their images may have the same names.
  EarlierSteps(const BuildRecordStore& store, const fs::path& fleet, std::size_t most_builds = 50);

  // Null where no earlier build tells of it.
  const BuildRecordStep* find(const std::string& target, const std::string& image, const std::string& stage,
                              const std::string& text) const;
  // What stood at a line before it was edited. Null where no earlier build tells of it.
  const BuildRecordStep* find_at(const std::string& target, const std::string& stage, int line) const;

 private:
  std::map<std::string, BuildRecordStep> steps_;
  std::map<std::tuple<std::string, std::string, int>, BuildRecordStep> at_lines_;  // by target, stage and line
};

// The stages that `wanted` needs and what their steps took, for who tells how long a build will take.
std::vector<ExpectedStage> expected_stages(const Plan& plan, const std::set<std::size_t>& wanted,
                                           const EarlierSteps& earlier);

}  // namespace kiln
