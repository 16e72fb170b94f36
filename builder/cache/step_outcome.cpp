#include "builder/cache/step_outcome.hpp"

namespace kiln {

std::string_view to_string(MissCause cause) {
  switch (cause) {
    case MissCause::changed:
      return "changed";
    case MissCause::cache_off:
      return "cache_off";
    case MissCause::layer_gone:
      return "layer_gone";
  }
  return "changed";
}

std::optional<MissCause> parse_miss_cause(std::string_view text) {
  for (const MissCause cause : {MissCause::changed, MissCause::cache_off, MissCause::layer_gone}) {
    if (text == to_string(cause)) return cause;
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
