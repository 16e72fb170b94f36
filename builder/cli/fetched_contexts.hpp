#pragma once

#include <vector>

#include "base/cancel.hpp"
#include "base/temp_dir.hpp"
#include "builder/cli/build_context.hpp"
#include "builder/definitions/fleet.hpp"

namespace kiln::cli {

// Fetches the contexts of a fleet's targets that are git repositories and URLs, as `kiln build` fetches its own,
// and puts folders in their places. They are there as long as what is returned. Where the definitions were
// fetched, `fetched_definitions`, their Dockerfiles are read as a stranger's are. Only `wanted` and what their contexts
// name is looked at. Call it while kiln has one thread. Error{usage}, Error{network}.
std::vector<TempDir> fetch_contexts(Fleet& fleet, const std::vector<const TargetSpec*>& wanted,
                                    const std::optional<fs::path>& fetched_definitions, MayFetch may_fetch,
                                    const CancelToken& cancel);

}  // namespace kiln::cli
