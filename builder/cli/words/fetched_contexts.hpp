#pragma once

#include <vector>

#include "base/cancel.hpp"
#include "base/temp_dir.hpp"
#include "builder/cli/words/build_context.hpp"
#include "builder/definitions/fleet.hpp"

namespace kiln::cli {

// Definitions that came from a repository.
struct FetchedDefinitions {
  fs::path folder;  // the checkout
  fs::path caller;  // where the command was started: of "cwd://"
};

// Fetches the contexts of a fleet's targets that are git repositories and URLs, as `kiln build` fetches its own,
// and puts folders in their places. They are there as long as what is returned. Where the definitions were
// fetched, what they name is read as a stranger's is: Error{usage} for what is, or leads, elsewhere. Only `wanted` and
// what their contexts name is looked at. Call it while kiln has one thread. Error{usage}, Error{network}.
std::vector<TempDir> fetch_contexts(Fleet& fleet, const std::vector<const TargetSpec*>& wanted,
                                    const std::optional<FetchedDefinitions>& fetched, MayFetch may_fetch,
                                    const CancelToken& cancel);

}  // namespace kiln::cli
