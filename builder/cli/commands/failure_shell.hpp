#pragma once

#include <memory>
#include <string>

#include "base/error.hpp"
#include "builder/build/workshop.hpp"

namespace kiln::cli {

// --on-error: whether it says "shell". Error{usage} for another word, and where standard input and standard error are
// not both a terminal.
bool wants_failure_shell(const std::string& on_error);

// After a build failed by `error`, whose display has ended: opens a shell in the root file system of the RUN whose
// command failed, on this terminal; returns when it ends. Where no command failed (`failed` is null) it says so and
// opens none.
void open_failure_shell(const Error& error, std::unique_ptr<FailedRun> failed, Workshop& shop);

}  // namespace kiln::cli
