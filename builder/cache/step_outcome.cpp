#include "builder/cache/step_outcome.hpp"

namespace kiln {

std::string_view to_string(MissKind kind) {
  switch (kind) {
    case MissKind::changed:
      return "changed";
    case MissKind::first_build:
      return "first_build";
    case MissKind::cache_off:
      return "cache_off";
    case MissKind::layer_gone:
      return "layer_gone";
  }
  return "changed";
}

std::optional<MissKind> parse_miss_kind(std::string_view text) {
  for (const MissKind kind : {MissKind::changed, MissKind::first_build, MissKind::cache_off, MissKind::layer_gone}) {
    if (text == to_string(kind)) return kind;
  }
  return std::nullopt;
}

std::string_view to_string(StepOutcome outcome) {
  switch (outcome) {
    case StepOutcome::hit:
      return "hit";
    case StepOutcome::built:
      return "built";
    case StepOutcome::failed:
      return "failed";
  }
  return "failed";
}

std::optional<StepOutcome> parse_step_outcome(std::string_view text) {
  for (const StepOutcome outcome : {StepOutcome::hit, StepOutcome::built, StepOutcome::failed}) {
    if (text == to_string(outcome)) return outcome;
  }
  return std::nullopt;
}

}  // namespace kiln
