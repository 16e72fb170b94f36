#pragma once

#include <string>

#include "builder/debian/debian_spec.hpp"

namespace kiln {

// The three shell scripts that mmdebstrap runs around the installation, each with the root's path as $1.

// Before anything is extracted: a merged /usr, and what dpkg shall leave out.
std::string setup_hook();
// After extraction, before packages are configured: removes what dpkg would have left out.
std::string extract_hook();
// At the end: caches, logs and the machine's traces go, configuration for children comes.
std::string customize_hook(const DebianSpec& spec);

}  // namespace kiln
