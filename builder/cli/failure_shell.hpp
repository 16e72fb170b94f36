#pragma once

#include <string>

#include "base/error.hpp"
#include "builder/cli/build_session.hpp"

namespace kiln::cli {

// --on-error: whether it says "shell". Error{usage} for another word, and where standard input and standard error are
// not both a terminal.
bool wants_failure_shell(const std::string& on_error);

// After a build failed by `error`: ends the progress display and opens a shell in the root file system of the RUN whose
// command failed, on this terminal; returns when it ends. Where no command failed it says so and opens none.
void open_failure_shell(BuildSession& session, const Error& error);

}  // namespace kiln::cli
