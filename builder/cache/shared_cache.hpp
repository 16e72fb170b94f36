#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "builder/cache/cache_blobs.hpp"
#include "builder/cache/entry_signature.hpp"
#include "builder/cache/guarded_place.hpp"

namespace kiln {

// An entry to be written. Its blobs are told apart by the mode of the place that is written.
struct NewCacheEntry {
  CacheEntry entry;                       // without blobs and signature
  std::vector<oci::Descriptor> always;    // file indexes, and layers of images that were asked for
  std::vector<oci::Descriptor> with_max;  // layers that no image has
};

// All caches beyond this machine's store, asked in order: folders, then http, then registries.
//
// Nothing here ever fails a build by itself: what a place that is down, slow or refuses costs is GuardedPlace's rule;
// an entry that is corrupt, truncated, another key's, or not signed by a key that is trusted is a miss with that
// reason. Where ignore-error=false, finish() reports what could not be written. Any thread.
class SharedCache {
 public:
  // `places` in the order in which they are asked. `log` is borrowed.
  SharedCache(std::vector<CachePlace> places, EntrySignatures signatures, Log& log);
  ~SharedCache();

  bool is_read() const;
  bool is_written() const;

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

  // The place where machines meet that build the same: of those that are both read and written the one that is asked
  // last. What is written there changes (claims, step_claim.hpp): it is asked each time, and nothing is remembered.
  // Nothing is found or done where there is no such place, or it went silent.
  bool has_meeting_place() const { return meeting_place() != nullptr; }
  std::optional<CacheEntry> find_at_meeting_place(const std::string& key, std::string_view media_type);
  // False where it was not written: nobody else can know of it.
  bool put_at_meeting_place(CacheEntry entry, WriteKind kind);
  // False where it is still there, since the place removes nothing. Tried although other writes were refused.
  bool remove_at_meeting_place(const std::string& key, std::string_view media_type);

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

  // Into the store, from any place that is known or likely to have it. False where none has it. What came from far is
  // written to nearer places that are written. `what` and `step` are for fetched().
  bool fetch_blob(const oci::Descriptor& blob, ContentStore& store, std::string_view what, std::string_view step) {
    return blobs_.fetch(blob, store, what, step);
  }

  // Whether a place says that it has the blob. A registry in which an entry of it was seen is not asked: it has taken
  // no entry whose blobs it does not have.
  bool has_blob(const oci::Descriptor& blob) { return blobs_.has(blob); }

  // The registry's repository where a blob was seen: pushes mount it from there.
  std::optional<RemoteRepository> repository_of(const oci::Digest& blob) const { return blobs_.repository_of(blob); }

  // The repositories that entries and their blobs are written to.
  std::vector<RemoteRepository> written_repositories() const;

  // What was fetched so far.
  std::vector<FetchedFromCache> fetched() const { return blobs_.fetched(); }
  // Error{network} for the first place with ignore-error=false that could not be written.
  void finish() const;

 private:
  struct Known;
  GuardedPlace* meeting_place() const;
  void load_expected();
  void preload(const std::vector<std::string>& bundle_keys);
  std::vector<CacheFinding> ask(GuardedPlace& place, std::span<const std::string> keys);
  std::string problem_of(const CacheEntry& entry, std::string_view media_type) const;
  void note(const CacheEntry& entry, GuardedPlace* place);
  void write_nearer(const CacheEntry& entry, const GuardedPlace& from);
  void put_one(GuardedPlace& place, const NewCacheEntry& entry, WriteKind kind, const ContentStore& store,
               const std::map<oci::Digest, std::vector<RemoteRepository>>& elsewhere);

  std::vector<std::unique_ptr<GuardedPlace>> places_;
  EntrySignatures signatures_;
  Log& log_;
  CacheBlobs blobs_;
  std::mutex expected_mutex_;  // before mutex_
  std::vector<std::string> expected_;
  mutable std::mutex mutex_;
  std::map<std::string, Known> known_;                       // by key: preloaded, found, put
  std::map<std::string, std::vector<std::string>> bundles_;  // what preloaded bundles held
  std::set<std::string> distrusted_;
  std::set<std::string> replaced_;  // were distrusted and are put right
};

}  // namespace kiln
