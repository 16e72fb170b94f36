#pragma once

#include "builder/debian/debian_spec.hpp"
#include "builder/definitions/target_spec.hpp"

namespace kiln {

// What a definition asks for, for one platform, as the lock file records it. Error{usage} for a platform that Debian
// has not.
DebianSpec debian_spec_of(const DebianRequest& request, const oci::Platform& platform);

}  // namespace kiln
