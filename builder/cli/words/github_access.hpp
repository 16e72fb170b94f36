#pragma once

#include <memory>
#include <string>

#include "registry/remote/github_packages.hpp"
#include "registry/remote/remote_session.hpp"

namespace kiln::cli {

// The packages API with the token that is stored for a repository of ghcr.io; nullptr for any other registry.
// Error{usage} where there is no token. Borrows the session.
std::unique_ptr<GithubPackages> github_packages_of(RemoteSession& session, const std::string& registry,
                                                   const std::string& repository);

}  // namespace kiln::cli
