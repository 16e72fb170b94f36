#pragma once

#include "builder/cli/images/registry_session.hpp"
#include "registry/oci/descriptor.hpp"
#include "registry/oci/reference.hpp"

namespace kiln::cli {

// Brings an image's index, manifests and configs (all platforms of it) into the store and tells the session where its
// layers are, so that a push mounts or streams them. Layers are not fetched. Error{network} where the registry lacks
// any of it.
oci::Descriptor fetch_documents(RegistrySession& session, const oci::Reference& source);

}  // namespace kiln::cli
