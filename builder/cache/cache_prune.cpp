#include "builder/cache/cache_prune.hpp"

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "builder/cache/entry_bundle.hpp"

namespace kiln {

namespace {

class CachePruning {
 public:
  CachePruning(const CacheHoldings& holdings, const CachePruneLimits& limits, UnixSeconds now)
      : holdings_(holdings), limits_(limits), now_(now) {}

  CachePrunePlan make() {
    count();
    take_orphans();
    std::vector<std::size_t> order(holdings_.entries.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return holdings_.entries[a].last_used < holdings_.entries[b].last_used;
    });
    for (const std::size_t number : order) {
      const HeldEntry& entry = holdings_.entries[number];
      if (!entry.last_used || is_used(entry) || is_young_bundle(entry)) continue;
      if (left() <= limits_.reserved_bytes) break;
      if (now_ - *entry.last_used >= limit_of(entry) || (is_too_much() && !is_short_lived(entry))) take(number);
    }
    return std::move(plan_);
  }

 private:
  // A claim may be of a machine that executes its step now; what is no entry may be one of a newer kiln.
  static bool is_short_lived(const HeldEntry& entry) {
    return entry.media_type.empty() || entry.media_type == kClaimEntryType;
  }

  std::int64_t limit_of(const HeldEntry& entry) const {
    return is_short_lived(entry) ? std::min(limits_.unused_seconds, kCacheUploadSeconds) : limits_.unused_seconds;
  }

  bool is_young_bundle(const HeldEntry& entry) const {
    return entry.media_type == kBundleEntryType && entry.last_used && now_ - *entry.last_used < limits_.unused_seconds;
  }

  bool is_used(const HeldEntry& entry) const { return used_.contains(entry.key); }

  std::uint64_t left() const { return plan_.used_before - plan_.freed_bytes; }
  bool is_too_much() const { return limits_.max_used_bytes && left() > *limits_.max_used_bytes; }

  void count() {
    for (const HeldEntry& entry : holdings_.entries) {
      plan_.used_before += entry.bytes;
      for (const oci::Descriptor& blob : entry.blobs) {
        Blob& held = blobs_[std::string(blob.digest.hex())];
        ++held.users;
        held.bytes = blob.size;
      }
      if (is_young_bundle(entry)) used_.insert(entry.bundled.begin(), entry.bundled.end());
    }
    if (holdings_.blobs) {
      for (auto& [_, blob] : blobs_) blob.bytes = 0;  // many are of a cache that has only what it was given
      for (std::size_t i = 0; i < holdings_.blobs->size(); ++i) {
        Blob& held = blobs_[(*holdings_.blobs)[i].name];
        held.bytes = (*holdings_.blobs)[i].bytes;
        held.number = i;
      }
    }
    for (const auto& [_, blob] : blobs_) plan_.used_before += blob.bytes;
    plan_.used_entries = static_cast<std::size_t>(std::count_if(
        holdings_.entries.begin(), holdings_.entries.end(), [&](const HeldEntry& entry) { return is_used(entry); }));
  }

  void take_orphans() {
    for (const auto& [_, blob] : blobs_) {
      if (blob.users > 0 || !blob.number) continue;
      if (now_ - (*holdings_.blobs)[*blob.number].last_used >= kCacheUploadSeconds) take(blob);
    }
  }

  struct Blob {
    std::size_t users = 0;
    std::uint64_t bytes = 0;
    std::optional<std::size_t> number = std::nullopt;  // in the list of the holdings
  };

  void take(const Blob& blob) {
    plan_.freed_bytes += blob.bytes;
    if (blob.number) plan_.blobs.push_back(*blob.number);
  }

  void take(std::size_t number) {
    const HeldEntry& entry = holdings_.entries[number];
    plan_.entries.push_back(number);
    plan_.freed_bytes += entry.bytes;
    for (const oci::Descriptor& blob : entry.blobs) {
      Blob& held = blobs_[std::string(blob.digest.hex())];
      if (--held.users == 0) take(held);
    }
  }

  const CacheHoldings& holdings_;
  const CachePruneLimits& limits_;
  UnixSeconds now_;
  std::set<std::string> used_;  // keys
  std::map<std::string, Blob> blobs_;
  CachePrunePlan plan_;
};

}  // namespace

HeldEntry held_entry(const CacheEntry& entry, std::uint64_t bytes, std::optional<UnixSeconds> last_used) {
  HeldEntry held{entry.key, entry.media_type, last_used, bytes, entry.blobs, {}};
  if (entry.media_type != kBundleEntryType) return held;
  try {
    for (const CacheEntry& bundled : parse_bundle(entry.content, "bundle")) {
      held.bundled.insert(bundled.key);
      // An entry that is gone by itself is found in the bundle still.
      held.blobs.insert(held.blobs.end(), bundled.blobs.begin(), bundled.blobs.end());
    }
  } catch (const Error& error) {
    if (error.category() != Category::network) throw;
    held.media_type.clear();
  }
  return held;
}

CachePrunePlan plan_cache_prune(const CacheHoldings& holdings, const CachePruneLimits& limits, UnixSeconds now) {
  return CachePruning(holdings, limits, now).make();
}

}  // namespace kiln
