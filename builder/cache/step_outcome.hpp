#pragma once

#include <optional>
#include <string_view>

namespace kiln {

// How a step that can make a layer ended. Every step ends in exactly one of these.
enum class StepOutcome {
  hit,     // its record was found: `from` says where
  built,   // it was executed: `reason` says why no record was found
  failed,  // it was executed and failed, or could not be executed
};

std::string_view to_string(StepOutcome outcome);
std::optional<StepOutcome> parse_step_outcome(std::string_view text);

}  // namespace kiln
