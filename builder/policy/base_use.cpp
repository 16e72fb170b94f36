#include "builder/policy/base_use.hpp"

#include "base/text.hpp"
#include "builder/definitions/json_source.hpp"
#include "builder/dockerfile/reads.hpp"

namespace kiln {

namespace {

class BaseUses {
 public:
  BaseUses(const Plan& plan, std::vector<BaseUse>& uses) : plan_(plan), uses_(uses) {}

  void add_target(const PlannedTarget& planned) {
    for (const std::size_t stage : needed_stages(planned)) {
      const dockerfile::Stage& written = planned.dockerfile.stages[stage];
      add(planned, base_use(planned, planned.bases[stage], platform_of_base(planned, stage), true),
          written.lines.first);
      for (const dockerfile::Instruction& instruction : written.instructions) {
        for (const std::string& name : dockerfile::names_read(instruction)) {
          const NameMeaning meaning = resolve_name(plan_, planned, name, stage);
          add(planned, base_use(planned, meaning, planned.target.platform(), false), instruction.lines.first);
        }
      }
    }
  }

 private:
  void add(const PlannedTarget& planned, std::optional<BaseUse> use, int line) {
    if (!use) return;
    use->place = {printable(planned.target.dockerfile_name), line};
    uses_.push_back(std::move(*use));
  }

  const Plan& plan_;
  std::vector<BaseUse>& uses_;
};

}  // namespace

std::string BaseUse::name() const {
  if (const auto* image = std::get_if<ImageBase>(&meaning)) return image->reference;
  if (const auto* layout = std::get_if<LayoutBase>(&meaning)) return "oci-layout://" + display_path(layout->folder);
  return debian ? "debian-packages of " + debian->suite : "debian-packages";
}

PolicySubject subject_of(const TargetSpec& target) {
  return {target.name, target.image, target.kind == ImageKind::service};
}

std::optional<BaseUse> base_use(const PlannedTarget& planned, const NameMeaning& meaning, const oci::Platform& platform,
                                bool is_stage_base) {
  const bool is_debian = std::holds_alternative<DebianBase>(meaning);
  const bool is_foreign =
      is_debian || std::holds_alternative<ImageBase>(meaning) || std::holds_alternative<LayoutBase>(meaning);
  if (!is_foreign) return std::nullopt;
  BaseUse use;
  use.meaning = meaning;
  if (is_debian) use.debian = planned.target.debian;
  use.platform = platform;
  use.subject = subject_of(planned.target);
  use.pull = planned.target.pull;
  use.is_stage_base = is_stage_base;
  use.network = planned.target.network.value_or(NetworkMode::build);
  return use;
}

std::vector<BaseUse> bases_used(const Plan& plan, const std::set<std::size_t>& targets) {
  std::vector<BaseUse> uses;
  BaseUses all(plan, uses);
  for (const std::size_t number : targets) all.add_target(*plan.targets[number]);
  return uses;
}

}  // namespace kiln
