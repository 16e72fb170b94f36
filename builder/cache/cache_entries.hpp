#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "builder/cache/cache_blobs.hpp"
#include "builder/cache/place_chain.hpp"

namespace kiln {

// An entry to be written. Its blobs are told apart by the mode of the place that is written.
struct NewCacheEntry {
  CacheEntry entry;                       // without blobs and signature
  std::vector<oci::Descriptor> always;    // file indexes, and layers of images that were asked for
  std::vector<oci::Descriptor> with_max;  // layers that no image has
};

// The entries of a shared cache's places, and what this process knows of them. Any thread.
class CacheEntries {
 public:
  // Both are borrowed; the blobs hear which places have those of an entry.
  CacheEntries(const PlaceChain& chain, CacheBlobs& blobs) : chain_(chain), blobs_(blobs) {}

  struct Found {
    std::optional<CacheEntry> entry;
    std::string from;    // the place's name
    std::string reason;  // of a miss: why an entry that there is cannot be used; "" for none at all
  };
  // In the order of the keys. What was found farther away is written to nearer places that are written. Entries' blobs
  // are known to fetch_blob() afterwards.
  std::vector<Found> find(std::span<const std::string> keys, std::string_view media_type);
  Found find(const std::string& key, std::string_view media_type);
  // The entry was of no use (a blob of it cannot be had): find() does not answer with it again.
  void distrust(const std::string& key);

  // Bundles (entry_bundle.hpp) spare a look-up for each of their entries: what they hold, find() answers from memory.
  // They are fetched before the first look-up, so that a build that needs none sends no request. A key that has no
  // bundle is no loss.
  void expect_bundles(const std::vector<std::string>& bundle_keys);
  // The step entries of the bundles, newest first.
  std::vector<CacheEntry> preloaded() const;
  // Writes a bundle of the entries that were found or put under `keys`, before what its predecessor held. Nothing is
  // written where that held them all.
  void put_bundle(const std::string& bundle_key, std::span<const std::string> keys);

  // Writes entries to every place that is written and lacks them or has a distrusted one, blobs (from the store) first;
  // signs them where there is a key to sign with. `elsewhere`: repositories that have blobs already, for mounting.
  void put(std::vector<NewCacheEntry> entries, const ContentStore& store,
           const std::map<oci::Digest, std::vector<RemoteRepository>>& elsewhere = {});

  // Writes an entry in place of what stands under its key, to every place that is written, blobs (from the store)
  // first. Nothing is written where the same stands there, unless that was distrusted.
  void replace(NewCacheEntry entry, const ContentStore& store);

 private:
  struct Known {
    CacheEntry entry;
    GuardedPlace* place = nullptr;  // nullptr: put by this process
  };
  void load_expected();
  void preload(const std::vector<std::string>& bundle_keys);
  void note(const CacheEntry& entry, GuardedPlace* place);
  void write_nearer(const CacheEntry& entry, const GuardedPlace& from);
  void put_one(GuardedPlace& place, const NewCacheEntry& entry, WriteKind kind, const ContentStore& store,
               const std::map<oci::Digest, std::vector<RemoteRepository>>& elsewhere);

  const PlaceChain& chain_;
  CacheBlobs& blobs_;
  std::mutex expected_mutex_;  // before mutex_
  std::vector<std::string> expected_;
  mutable std::mutex mutex_;
  std::map<std::string, Known> known_;                       // by key: preloaded, found, put
  std::map<std::string, std::vector<std::string>> bundles_;  // what preloaded bundles held
  std::set<std::string> distrusted_;
  std::set<std::string> replaced_;  // were distrusted and are put right
};

}  // namespace kiln
