#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "builder/cache/cache_entry.hpp"

namespace kiln {

// What a place of a shared cache holds, without the contents.

struct HeldEntry {
  std::string key;
  std::string media_type;                // empty: what is there is no entry, and hits nothing
  std::optional<UnixSeconds> last_used;  // or written, where the place does not say more; nullopt: not known
  std::uint64_t bytes = 0;               // without its blobs
  std::vector<oci::Descriptor> blobs;
  std::set<std::string> bundled;  // of a bundle: the keys of its entries
};

struct HeldBlob {
  std::string name;  // 64 hex digits; anything else was left by a writer that was killed
  std::uint64_t bytes = 0;
  UnixSeconds last_used = 0;
};

struct CacheHoldings {
  std::vector<HeldEntry> entries;
  // nullopt: the place takes blobs away by itself once nothing names them (a registry).
  std::optional<std::vector<HeldBlob>> blobs;
};

// The entry without its content; of a bundle with what it holds. For kinds of entries see cache_entry.hpp.
HeldEntry held_entry(const CacheEntry& entry, std::uint64_t bytes, std::optional<UnixSeconds> last_used);

// A place whose holdings can be listed and taken away one by one.
class PrunableCache {
 public:
  virtual ~PrunableCache() = default;
  virtual const std::string& name() const = 0;
  // Error{network} or Error{machine}, with what would help, where it does not list them.
  virtual CacheHoldings holdings() = 0;
  // False where it was used or replaced meanwhile, and stays. Errors as of holdings(), where it deletes nothing.
  virtual bool remove(const HeldEntry& entry) = 0;
  virtual bool remove(const HeldBlob& blob) = 0;
};

inline constexpr std::int64_t kCacheUnusedSeconds = std::int64_t{14} * 24 * 3600;
// What nothing names may be an upload whose entry is still to come.
inline constexpr std::int64_t kCacheUploadSeconds = std::int64_t{24} * 3600;

struct CachePruneLimits {
  std::int64_t unused_seconds = kCacheUnusedSeconds;
  std::optional<std::uint64_t> max_used_bytes;  // go on with what was used longest ago until no more than this is used
  std::uint64_t reserved_bytes = 0;             // never go below this
};

// What goes, as numbers in the lists of the holdings.
struct CachePrunePlan {
  std::vector<std::size_t> entries;  // in the order of their last use
  std::vector<std::size_t> blobs;
  std::uint64_t used_before = 0;
  std::uint64_t freed_bytes = 0;
  std::size_t used_entries = 0;  // that a bundle names which is younger than the limit: what the last builds used
};

// Entries that were not used for as long as the limit and that no young bundle names, then of the others those that
// were used longest ago while more than max_used_bytes is used; blobs that no other entry names with them. Never what a
// young bundle names, nor what has no age. A claim, and what is no entry, goes once it is a day old. Pure.
CachePrunePlan plan_cache_prune(const CacheHoldings& holdings, const CachePruneLimits& limits, UnixSeconds now);

}  // namespace kiln
