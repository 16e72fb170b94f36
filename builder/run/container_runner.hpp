#pragma once

#include <functional>
#include <string_view>

#include "base/cancel.hpp"
#include "builder/run/run_request.hpp"
#include "registry/store/layout.hpp"

namespace kiln {

// What a container prints on both outputs, in order, cut anywhere.
using OutputSink = std::function<void(std::string_view)>;

// Runs containers to their end. Any thread may run them, many at a time.
class ContainerRunner {
 public:
  virtual ~ContainerRunner() = default;
  // Error{build} where the runtime cannot start the command (not found, not executable); Error{machine} where the
  // machine cannot run containers; Error{cancelled} where `cancel` fires: the container has been killed and unmounted
  // by then. A command that fails is no error but an exit code.
  virtual RunResult run(const HomeLayout& home, const RunRequest& request, const OutputSink& output,
                        const CancelToken& cancel) = 0;
};

}  // namespace kiln
