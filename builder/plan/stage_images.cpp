#include "builder/plan/stage_images.hpp"

#include "builder/dockerfile/reads.hpp"

namespace kiln {

namespace df = dockerfile;

std::vector<StageImage> stage_images(const Plan& plan, const PlannedTarget& target, std::size_t stage) {
  const df::Stage& read = target.dockerfile.stages[stage];
  std::vector<StageImage> images;
  if (const auto* base = std::get_if<ImageBase>(&target.bases[stage]))
    images.push_back({base->reference, platform_of_base(target, stage), read.lines.first});
  for (const df::Instruction& instruction : read.instructions) {
    for (const std::string& name : df::names_read(instruction)) {
      const NameMeaning meaning = resolve_name(plan, target, name, stage);
      if (const auto* image = std::get_if<ImageBase>(&meaning))
        images.push_back({image->reference, target.target.platform(), instruction.lines.first});
    }
  }
  return images;
}

}  // namespace kiln
