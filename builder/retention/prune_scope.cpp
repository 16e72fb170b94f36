#include "builder/retention/prune_scope.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/cache/cache_reference.hpp"
#include "builder/definitions/image_names.hpp"
#include "registry/remote/registry_client.hpp"
#include "registry/remote/release_record.hpp"

namespace kiln {

namespace {

// A repository and, for releases, every namespace above it.
void add_repository(RemoteSession& session, PruneScope& scope, const oci::Reference& reference,
                    const std::set<std::string>& fixed_tags) {
  if (scope.registry.empty()) scope.registry = reference.registry;
  if (scope.registry != reference.registry) {
    throw Error(Category::usage, fmt::format("images are at '{}' and at '{}'; prune one registry at a time, with 'kiln "
                                             "prune --registry REGISTRY/NAMESPACE'",
                                             scope.registry, reference.registry));
  }
  if (reference.repository == kReleasesRepository ||
      reference.repository.ends_with(fmt::format("/{}", kReleasesRepository))) {
    const std::string name = reference.name();
    if (scope.is_listed) scope.namespaces_with_releases.insert(name.substr(0, name.rfind('/')));
    return;
  }
  const RemoteRepository place = session.repository_of(reference);
  if (std::find(scope.repositories.begin(), scope.repositories.end(), place) == scope.repositories.end())
    scope.repositories.push_back(place);
  scope.fixed_tags[place.name()].insert(fixed_tags.begin(), fixed_tags.end());
  for (std::string name = reference.name(); name.find('/') != std::string::npos;) {
    name.resize(name.rfind('/'));
    scope.namespaces.insert(name);
  }
}

// Whether a repository is one that can be read. A catalog may hide it.
bool has_tags(RegistryClient& client, const std::string& repository) {
  try {
    return client.find_tags(repository).has_value();
  } catch (const RegistryError&) {
    return false;
  }
}

std::vector<std::string> names_below(RemoteSession& session, RegistryClient& client, const std::string& repository,
                                     const GithubPackages* packages) {
  std::vector<std::string> names;
  if (packages) {
    const std::string owner = repository.substr(0, repository.find('/'));
    for (const std::string& package : packages->packages(owner)) names.push_back(owner + "/" + package);
  } else {
    try {
      names = client.list_repositories();
    } catch (const RegistryError& error) {
      // Few registries list them to everybody. What is named may be a repository itself.
      if (!has_tags(client, repository)) {
        Error refused(Category::network, error.message());
        refused.add_context(
            fmt::format("so that the repositories below '{}/{}' cannot be found; name them one by one: 'kiln prune "
                        "--registry {}/{}/NAME'",
                        client.endpoint().authority, repository, client.endpoint().authority, repository));
        throw refused;
      }
      session.log().warn(
          fmt::format("{}; '{}/{}' alone is looked at", error.message(), client.endpoint().authority, repository));
      return {repository};
    }
  }
  std::erase_if(names,
                [&](const std::string& name) { return name != repository && !name.starts_with(repository + "/"); });
  if (names.empty() && !packages && has_tags(client, repository)) names = {repository};
  if (names.empty()) {
    throw Error(Category::network, fmt::format("'{}/{}': the registry lists no such repository and none below it",
                                               client.endpoint().authority, repository));
  }
  return names;
}

}  // namespace

PruneScope scope_of_fleet(RemoteSession& session, const Fleet& fleet) {
  PruneScope scope;
  for (const TargetSpec& target : fleet.targets) {
    // A name that does not depend on day and commit is one that moves from image to image.
    const auto names = image_names(fleet, target, {{}, "20260101", "000000000000"});
    const auto others = image_names(fleet, target, {{}, "20260102", "111111111111"});
    for (const std::string& name : names) {
      const oci::Reference reference = oci::Reference::parse(name);
      const bool is_fixed = std::find(others.begin(), others.end(), name) != others.end();
      add_repository(session, scope, reference,
                     is_fixed ? std::set<std::string>{reference.tag_or_latest()} : std::set<std::string>());
    }
  }
  if (scope.repositories.empty())
    throw Error(Category::usage, fmt::format("no image of '{}' is published anywhere", fleet.file.string()));
  for (const std::string& text : fleet.settings.cache_to) {
    const CacheReference cache = parse_cache_reference(text, CacheDirection::to);
    if (cache.type == CacheType::registry && cache.mode != CacheMode::read)
      add_repository(session, scope, oci::Reference::parse(cache.place), {});
  }
  return scope;
}

PruneScope scope_of_prefix(RemoteSession& session, const std::string& prefix, const GithubPackages* packages) {
  PruneScope scope;
  const oci::Reference reference = oci::Reference::parse(prefix);
  if (reference.tag || reference.digest) {
    throw Error(Category::usage,
                fmt::format("'{}' names one image; a repository or a namespace such as '{}' was expected",
                            reference.str(), reference.name()));
  }
  RegistryClient client = session.client_for(reference);
  scope.is_listed = true;
  for (const std::string& name : names_below(session, client, reference.repository, packages)) {
    add_repository(session, scope, oci::Reference::parse(fmt::format("{}/{}", reference.registry, name)), {"latest"});
  }
  return scope;
}

}  // namespace kiln
