#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "builder/retention/retention_plan.hpp"

namespace kiln {

struct PruneOutcome {
  std::size_t deleted = 0;
  std::uint64_t freed_bytes = 0;
  std::vector<std::string> left;  // what was planned and left alone, each with its reason
};

// Deletes what a plan says of one repository.
//
// All tags of the repository are read again before the first deletion and then every half minute (less often where that
// takes more than 3 seconds), the tags of what is about to go before each. Where a tag has come or moved since the plan
// was made, the rest of the repository is left alone: deleting by digest takes every tag along, and what a new tag
// reaches was not planned with. A tag that went is no obstacle. At GitHub (`packages` not null) versions are removed by
// the packages API, and how to restore each is appended to `restore_file` before it goes. Error{network} where the
// registry refuses to delete at all.
PruneOutcome execute_plan(RemoteSession& session, const Endpoint& endpoint, const RepositoryPlan& plan,
                          const GithubPackages* packages, const fs::path& restore_file);

}  // namespace kiln
