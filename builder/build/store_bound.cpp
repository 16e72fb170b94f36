#include "builder/build/store_bound.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "builder/build/workshop.hpp"
#include "builder/store_care/prune.hpp"

namespace kiln {

namespace {

void prune_to(Workshop& shop, const StoreBound& bound) {
  CacheMounts mounts(shop.home());
  PruneOptions options;
  options.max_used_bytes = bound.max_used_bytes;
  options.min_free_bytes = bound.min_free_bytes;
  std::uint64_t freed = 0, left = 0;
  for (const bool all : {false, true}) {
    options.all = all;
    // Records of the steps of named images are small, and are all that makes these hit.
    if (all) options.kinds = {StoreItemKind::base, StoreItemKind::file_index, StoreItemKind::package};
    const PruneReport report = prune(shop.store(), shop.snapshots(), mounts, options, now_unix_seconds());
    freed += report.bytes;
    left = report.used_before - report.bytes;
    const std::uint64_t available = fs::space(shop.home().root()).available;
    const bool is_kept = (!bound.max_used_bytes || left <= *bound.max_used_bytes) &&
                         (!bound.min_free_bytes || available >= *bound.min_free_bytes);
    if (is_kept) break;
    if (all) {
      shop.recorder().warn(
          fmt::format("the store keeps {}, more than its bound: images have it, or builds that run; 'kiln cache du' "
                      "shows what, 'kiln untag --local NAME' gives up an image",
                      human_bytes(left)));
    }
  }
  if (freed > 0) shop.recorder().info(fmt::format("the store gave up {} to stay below its bound", human_bytes(freed)));
}

}  // namespace

void keep_bound(Workshop& shop, const StoreBound& bound) {
  if (!bound.is_set()) return;
  try {
    prune_to(shop, bound);
  } catch (const Error& error) {
    if (error.category() == Category::cancelled) throw;
    shop.recorder().warn(fmt::format("the store is not held to its bound: {}", error.message()));
  }
}

}  // namespace kiln
