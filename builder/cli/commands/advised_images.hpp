#pragma once

#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "base/log.hpp"
#include "builder/cli/images/recorded_builds.hpp"
#include "builder/cli/images/registry_session.hpp"
#include "builder/packages/advice.hpp"

namespace kiln::cli {

// The newest builds of a fleet's images, looked into. What is no longer in the store is left out with a warning.
std::vector<AdvisedImage> look_into_builds(RegistrySession& session, const std::vector<NewestBuild>& builds,
                                           const CancelToken& cancel, Log& log);

// What order_advice() finds of these builds' history.
std::vector<Advice> look_into_history(RegistrySession& session, const std::vector<BuildRecord>& records,
                                      const std::vector<NewestBuild>& builds, const std::vector<AdvisedImage>& images);

}  // namespace kiln::cli
