#pragma once

#include <vector>

#include "builder/cli/images/registry_session.hpp"
#include "registry/oci/descriptor.hpp"
#include "registry/oci/reference.hpp"

namespace kiln::cli {

// What is attached to an image, to the images of its index, and to what is attached: at most kMostAttached artifacts,
// each after what it is attached to. Their documents are brought as fetch_documents() brings an image's. `root` is the
// image's, in the store. What cannot be had is warned of and left out: it is no part of the image.
inline constexpr std::size_t kMostAttached = 1000;
std::vector<oci::Descriptor> fetch_attached(RegistrySession& session, const oci::Reference& source,
                                            const oci::Descriptor& root);

}  // namespace kiln::cli
