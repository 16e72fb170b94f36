#pragma once

#include <map>
#include <string>

#include "registry/oci/digest.hpp"
#include "registry/remote/remote_session.hpp"

namespace kiln {

// Every digest that the releases of a registry and namespace ("ghcr.io/acme") name, with the release's name. None where
// there is no repository of releases. Error{network} where a release cannot be read, or there is none of a repository
// that the registry listed: what releases keep cannot be told then, and a prune must not go on.
std::map<oci::Digest, std::string> released_digests(RemoteSession& session, const std::string& registry_and_namespace,
                                                    bool is_listed);

}  // namespace kiln
