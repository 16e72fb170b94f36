#pragma once

#include <cstddef>

#include "builder/cli/images/registry_session.hpp"
#include "registry/oci/descriptor.hpp"
#include "registry/oci/reference.hpp"

namespace kiln::cli {

// Copies what hangs on an image, on the images of its platforms where it is an index, and on what hangs on them: OCI
// referrers (signatures, SBOMs, attestations), listed at the destination as its registry lists them, and what cosign
// keeps under the tags "sha256-<hex>.sig", ".att" and ".sbom". Signatures and attestations that the destination has
// under such a tag stay beside the new ones; an SBOM there stays alone. `root` is in the store, and at the destination.
// Does nothing within one repository. Returns how many artifacts and tags the destination did not have.
std::size_t copy_attached(RegistrySession& session, const oci::Reference& source, const oci::Reference& destination,
                          const oci::Descriptor& root);

}  // namespace kiln::cli
