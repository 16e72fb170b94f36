#include "builder/steps/events.hpp"

namespace kiln {

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

}  // namespace kiln
