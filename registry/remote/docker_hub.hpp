#pragma once

#include <string_view>

namespace kiln {

// Docker Hub by the name that references have, and the host that answers for it.
inline constexpr std::string_view kDockerHub = "docker.io";
inline constexpr std::string_view kDockerHubHost = "registry-1.docker.io";

}  // namespace kiln
