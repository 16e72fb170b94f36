#pragma once

#include <optional>

#include "base/process.hpp"

namespace kiln {

// run_command() for a program that may wait for others without an end: nullopt where it had not ended by itself after
// `seconds`, and was ended.
std::optional<CommandResult> run_command_within(double seconds, const Command& command, const CancelToken& cancel);

}  // namespace kiln
