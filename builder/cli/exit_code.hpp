#pragma once

#include "base/cancel.hpp"
#include "base/error.hpp"

namespace kiln::cli {

// The only place where categories become exit codes: 1 build, 2 usage, 3 network, 4 machine, 128 + signal.
int exit_code_of(Category category, const CancelToken& cancel);

// Prints "error: MESSAGE" and the detail to standard error and returns the exit code.
int report_error(const Error& error, const CancelToken& cancel);

// Makes SIGINT and SIGTERM set the token; a second one ends the process at once. SIGPIPE is ignored.
void install_signal_handlers(const CancelToken& cancel);

}  // namespace kiln::cli
