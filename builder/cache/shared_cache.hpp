#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "builder/cache/cache_blobs.hpp"
#include "builder/cache/cache_entries.hpp"
#include "builder/cache/meeting_place.hpp"
#include "builder/cache/place_chain.hpp"

namespace kiln {

// All caches beyond this machine's store, asked in order: folders, then http, then registries. A chain of places, their
// entries, their blobs, and the place where machines meet.
//
// Nothing here ever fails a build by itself: what a place that is down, slow or refuses costs is GuardedPlace's rule;
// an entry that is corrupt, truncated, another key's, or not signed by a key that is trusted is a miss with that
// reason. Where ignore-error=false, finish() reports what could not be written. Any thread.
class SharedCache {
 public:
  // `places` in the order in which they are asked. `log` is borrowed.
  SharedCache(std::vector<CachePlace> places, EntrySignatures signatures, Log& log)
      : chain_(std::move(places), std::move(signatures), log),
        blobs_(chain_.places()),
        entries_(chain_, blobs_),
        meeting_place_(chain_) {}

  bool is_read() const { return chain_.is_read(); }
  bool is_written() const { return chain_.is_written(); }
  std::vector<RemoteRepository> written_repositories() const { return chain_.written_repositories(); }
  void finish() const { chain_.refuse_write_errors(); }

  // Entries: CacheEntries says what each does.
  using Found = CacheEntries::Found;
  std::vector<Found> find(std::span<const std::string> keys, std::string_view media_type) {
    return entries_.find(keys, media_type);
  }
  Found find(const std::string& key, std::string_view media_type) { return entries_.find(key, media_type); }
  void distrust(const std::string& key) { entries_.distrust(key); }
  void expect_bundles(const std::vector<std::string>& bundle_keys) { entries_.expect_bundles(bundle_keys); }
  std::vector<CacheEntry> preloaded() const { return entries_.preloaded(); }
  void put_bundle(const std::string& bundle_key, std::span<const std::string> keys) {
    entries_.put_bundle(bundle_key, keys);
  }
  void put(std::vector<NewCacheEntry> entries, const ContentStore& store,
           const std::map<oci::Digest, std::vector<RemoteRepository>>& elsewhere = {}) {
    entries_.put(std::move(entries), store, elsewhere);
  }
  void replace(NewCacheEntry entry, const ContentStore& store) { entries_.replace(std::move(entry), store); }

  MeetingPlace& meeting_place() noexcept { return meeting_place_; }

  // Into the store, from any place that is known or likely to have it. False where none has it. What came from far is
  // written to nearer places that are written. `what` and `step` are for fetched().
  bool fetch_blob(const oci::Descriptor& blob, ContentStore& store, FetchedKind what, std::string_view step) {
    return blobs_.fetch(blob, store, what, step);
  }

  // Whether a place is likely to have the blob. One that is elsewhere and in which an entry of it was seen is not
  // asked: a request for each layer of an image is more than all else that an unchanged image costs.
  bool has_blob(const oci::Descriptor& blob) { return blobs_.has(blob); }

  // The registry's repository where a blob was seen: pushes mount it from there.
  std::optional<RemoteRepository> repository_of(const oci::Digest& blob) const { return blobs_.repository_of(blob); }

  // What was fetched so far.
  std::vector<FetchedFromCache> fetched() const { return blobs_.fetched(); }

 private:
  PlaceChain chain_;
  CacheBlobs blobs_;
  CacheEntries entries_;
  MeetingPlace meeting_place_;
};

}  // namespace kiln
