#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "builder/definitions/fleet.hpp"
#include "registry/remote/github_packages.hpp"
#include "registry/remote/remote_session.hpp"

namespace kiln {

// What `kiln prune --registry` looks at.
struct PruneScope {
  std::string registry;  // the one registry of all of it
  std::vector<RemoteRepository> repositories;
  std::map<std::string, std::set<std::string>> fixed_tags;  // by RemoteRepository::name()
  bool is_listed = false;            // the registry itself named the repositories: each of them must be there
  std::set<std::string> namespaces;  // registries and namespaces that releases may be in
  std::set<std::string> namespaces_with_releases;  // those whose repository of releases the registry itself named
};

// The repositories of a fleet's images and of the registry caches it writes. Error{usage} where it names no registry,
// or several.
PruneScope scope_of_fleet(RemoteSession& session, const Fleet& fleet);

// A repository and all below it ("ghcr.io/acme" is all of acme's). Where the registry does not list its repositories,
// the one that is named. Error{network} where that is none: a clean-up that looks at nothing must not look like one
// that has nothing to do. "latest" is a fixed tag. `packages`: GitHub's, nullptr elsewhere.
PruneScope scope_of_prefix(RemoteSession& session, const std::string& prefix, const GithubPackages* packages);

}  // namespace kiln
