#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace kiln {

// The system calls a RUN may make, as the runtime specification's linux.seccomp: those docker allows a container with
// its default capabilities. Every other one fails with EPERM; clone3 with ENOSYS, so that C libraries fall back to
// clone, whose flags a filter can see. `architecture` is an OCI one ("amd64"); one that is not known gets a filter
// without names for the calls that only it has.
nlohmann::json seccomp_profile(std::string_view architecture);

}  // namespace kiln
