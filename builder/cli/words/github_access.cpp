#include "builder/cli/words/github_access.hpp"

#include <fmt/format.h>

#include "base/process.hpp"
#include "registry/remote/ghcr.hpp"

namespace kiln::cli {

std::unique_ptr<GithubPackages> github_packages_of(RemoteSession& session, const std::string& registry,
                                                   const std::string& repository) {
  if (!ghcr::is_ghcr(registry)) return nullptr;
  const auto credentials = session.credentials().find(registry, repository);
  if (!credentials || credentials->password.empty()) {
    throw Error(Category::usage, fmt::format("GitHub's packages can only be pruned with a token; run 'kiln login {} -u "
                                             "USER --password-stdin' with one that has "
                                             "the scopes read:packages and delete:packages",
                                             registry));
  }
  return std::make_unique<GithubPackages>(
      session, GithubPackages::api_of(registry, environment_variable("GITHUB_API_URL").value_or("")),
      credentials->password);
}

}  // namespace kiln::cli
