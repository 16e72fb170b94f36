#pragma once

#include <cstdint>
#include <optional>

namespace kiln {

class Workshop;

// How large the store may get before builds take from it what was used longest ago.
struct StoreBound {
  std::optional<std::uint64_t> max_used_bytes = std::nullopt;
  std::optional<std::uint64_t> min_free_bytes = std::nullopt;  // of its file system

  bool is_set() const noexcept { return max_used_bytes || min_free_bytes; }
};

// Prunes the store to the bound, after a build and while that holds on to what it used: first what is easily made
// again, then bases and packages too. What names reach and what any kiln uses stays, and where that is more than the
// bound a warning says so. Fails no build: a store that cannot be pruned is a warning. Error{cancelled} alone leaves.
void keep_bound(Workshop& shop, const StoreBound& bound);

}  // namespace kiln
