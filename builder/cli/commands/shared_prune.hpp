#pragma once

#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "builder/cache/cache_prune.hpp"

namespace kiln::cli {

// `kiln cache prune --cache`.
struct SharedPruneWords {
  std::vector<std::string> caches;
  CachePruneLimits limits;
  bool dry_run = false;
  bool json = false;
};

// Prunes each cache by its own, and prints what went. A registry's entries go by its DELETE or by GitHub's packages
// API, and its blobs when it collects garbage. Error{usage} for what is no cache; what a place cannot list or delete is
// an error with what would.
int prune_shared_caches(const SharedPruneWords& words, const CancelToken& cancel);

}  // namespace kiln::cli
