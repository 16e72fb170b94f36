#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kiln {

// How a step that can make a layer ended. Every step ends in exactly one of these.
enum class StepOutcome {
  hit,     // its record was found: `from` says where
  built,   // it was executed: `reason` says why no record was found
  failed,  // it was executed and failed, or could not be executed
};

// What a step missed by, as far as something else is to be done about it.
enum class MissKind {
  changed,      // nothing was recorded for these inputs
  first_build,  // nor was anything for the place where the step stands
  cache_off,    // it was not to be looked up
  layer_gone,   // it was recorded, and a layer of it has left the store
};

// Why no record was found; "" for no record at all.
struct Miss {
  std::string reason;  // for people
  MissKind kind = MissKind::changed;
};

std::string_view to_string(MissKind kind);
std::optional<MissKind> parse_miss_kind(std::string_view text);

std::string_view to_string(StepOutcome outcome);
std::optional<StepOutcome> parse_step_outcome(std::string_view text);

}  // namespace kiln
