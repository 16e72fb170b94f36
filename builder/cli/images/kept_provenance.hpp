#pragma once

#include <string>
#include <vector>

#include "builder/cli/images/registry_session.hpp"
#include "registry/remote/push.hpp"

namespace kiln::cli {

// Attaches to an image of the store what the build that made it here kept of how it was made: to each of its platforms'
// images, in every repository that it was pushed to. Of an image that was made elsewhere nothing is known, and of one
// that stands in an index with its attestations they are pushed already. Returns the images as NAME@DIGEST that have it
// now; `log` hears of what could not be attached, which fails nothing.
std::vector<std::string> attach_kept_provenance(RegistrySession& session, const PushRequest& request,
                                                const PushOutcome& outcome, Log& log);

}  // namespace kiln::cli
