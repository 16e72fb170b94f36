#pragma once

#include <string>
#include <vector>

#include "builder/sign/verification_key.hpp"
#include "registry/oci/reference.hpp"
#include "registry/remote/remote_session.hpp"

namespace kiln::cli {

// Verifies that each of these, named by digest, is signed by the key. Error{build} that begins with `consequence`, what
// is not done for it, and lists those that are not, with why each of their signatures does not count.
void require_signatures(RemoteSession& session, const std::vector<oci::Reference>& images, const VerificationKey& key,
                        const std::string& consequence);

}  // namespace kiln::cli
