#pragma once

#include "base/fd.hpp"

namespace kiln {

// The life of a worker: the first process of a PID namespace and the only one of a mount namespace, with one container.
// Takes the plan from the socket, reports, and ends. When the other end of the socket closes it kills the container,
// unmounts, reports, ends.
[[noreturn]] void work_for(Fd socket) noexcept;

}  // namespace kiln
