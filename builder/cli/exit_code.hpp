#pragma once

#include <string>

#include "base/cancel.hpp"
#include "base/error.hpp"

namespace kiln::cli {

// The only place where categories become exit codes: 1 build, 2 usage, 3 network, 4 machine, 128 + signal.
int exit_code_of(Category category, const CancelToken& cancel);

// "error: MESSAGE" and the detail, each with an end of line; without credentials, without orders to a CI service, and
// no line longer than readable_line().
std::string error_text(const Error& error);

// Prints error_text() to standard error and returns the exit code.
int report_error(const Error& error, const CancelToken& cancel);

// Makes SIGINT and SIGTERM set the token; a second one ends the process at once. SIGPIPE is ignored.
void install_signal_handlers(const CancelToken& cancel);

}  // namespace kiln::cli
