#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "builder/run/run_request.hpp"

namespace kiln {

// The system calls a RUN may make, as the runtime specification's linux.seccomp: those docker allows a container with
// its default capabilities. Every other one fails with EPERM; clone3 with ENOSYS, so that C libraries fall back to
// clone, whose flags a filter can see. `architecture` is an OCI one ("amd64"); one that is not known gets a filter
// without names for the calls that only it has. Sockets are those of the families that docker lets through, which
// leaves out AF_ALG (CVE-2026-31431) and vsock. 32-bit programs reach them by socketcall all the same, which `hardened`
// refuses: most of them have no network then.
nlohmann::json seccomp_profile(std::string_view architecture, RunSecurity security);

}  // namespace kiln
