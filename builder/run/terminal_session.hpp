#pragma once

#include "base/cancel.hpp"
#include "builder/run/runner.hpp"

namespace kiln {

// Whether both descriptors are terminals of which one may be read and the other written by a person.
bool is_terminal(int input, int output) noexcept;

// Runs a container on the caller's terminal: what is typed goes to it, keys like Ctrl-C too, and its window has the
// terminal's size. The terminal is in raw mode meanwhile and put back at the end, whatever happens. Errors as
// Runner::run(); Error{usage} where the descriptors are no terminal. The exit code is the command's.
RunResult run_on_terminal(Runner& runner, const HomeLayout& home, RunRequest request, int input, int output,
                          const CancelToken& cancel);

}  // namespace kiln
