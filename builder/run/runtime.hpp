#pragma once

#include "base/file.hpp"

namespace kiln {

// An OCI runtime that works on this machine, and how it is to be called.
struct Runtime {
  fs::path program;
  bool own_cgroups = true;  // false: the cgroup file systems may not be written, and the runtime is told to do without

  bool operator==(const Runtime&) const = default;
};

}  // namespace kiln
