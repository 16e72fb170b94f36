#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "builder/cache/cache_backend.hpp"
#include "builder/cache/cache_reference.hpp"
#include "builder/cache/entry_signature.hpp"

namespace kiln {

// One place of a build's shared cache and what may be done with it.
struct CachePlace {
  std::unique_ptr<CacheBackend> backend;
  bool reads = true;    // --cache-from
  bool writes = false;  // --cache-to
  bool near = false;    // a folder: what a farther place answers is written to it
  CacheMode mode = CacheMode::min;
  bool ignore_error = true;
};

// What was fetched from a shared cache, and for what.
struct FetchedFromCache {
  std::string place;  // CacheBackend::name()
  std::string what;   // "layer", "file index"
  std::string step;   // "RUN pip install ...": what needed it
  oci::Digest digest;
  std::uint64_t bytes = 0;
};

// All caches beyond this machine's store, asked in order: folders, then http, then registries.
//
// Nothing here ever fails a build by itself: a place that is down, slow or refuses is warned about once with its reason and
// left alone from then on; an entry that is corrupt, truncated, another key's, or not signed by a key that is trusted is a
// miss with that reason. Where ignore-error=false, finish() reports what could not be written. Any thread.
class SharedCache {
 public:
  // `places` in the order in which they are asked. Without trust in `signatures`, entries need no signature.
  SharedCache(std::vector<CachePlace> places, EntrySignatures signatures, Log& log);

  bool is_empty() const noexcept { return places_.empty(); }
  bool is_written() const;
  // The largest mode of the places that are written.
  CacheMode mode() const;

  struct Found {
    std::optional<CacheEntry> entry;
    std::string from;    // the place's name
    std::string reason;  // of a miss: why an entry that there is cannot be used; "" for none at all
  };
  // In the order of the keys. What was found farther away is written to nearer folders. Entries' blobs are known to
  // fetch_blob() afterwards.
  std::vector<Found> find(std::span<const std::string> keys, std::string_view media_type);
  Found find(const std::string& key, std::string_view media_type);

  // Bundles (entry_bundle.hpp) spare a look-up for each of their entries: what they hold, find() answers from memory. A key
  // that has no bundle is no loss.
  void preload(std::span<const std::string> bundle_keys);
  // Writes the bundle of what was found and put under `keys`, after what the preloaded bundle of that name held. Nothing is
  // written where that says the same already.
  void put_bundle(const std::string& bundle_key, std::span<const std::string> keys, const ContentStore& store);

  // Writes an entry to every place that is written, its blobs (from the store) first. `elsewhere`: repositories that have
  // layers already. Signs it where there is a key to sign with.
  void put(CacheEntry entry, const ContentStore& store,
           const std::map<oci::Digest, std::vector<RemoteRepository>>& elsewhere = {});

  // Into the store, from any place that is known or likely to have it. False where none has it.
  bool fetch_blob(const oci::Descriptor& blob, ContentStore& store, std::string_view what, std::string_view step);

  // Registries' repositories where a blob was seen: pushes mount it from there.
  std::optional<RemoteRepository> repository_of(const oci::Digest& blob) const;

  // What was fetched so far.
  std::vector<FetchedFromCache> fetched() const;
  // Error{network} for the first place with ignore-error=false that could not be written.
  void finish() const;

 private:
  struct State {
    CachePlace place;
    bool is_down = false;
    std::optional<Error> write_error;
  };
  template <class Ask>
  bool ask(State& state, std::string_view doing, Ask ask);

  std::vector<std::unique_ptr<State>> places_;
  EntrySignatures signatures_;
  Log& log_;
  mutable std::mutex mutex_;
  struct Known {
    CacheEntry entry;
    State* place = nullptr;  // nullptr: put by this process
  };
  std::map<std::string, Known> known_;  // by key: preloaded, found, put
  std::map<std::string, std::vector<std::string>> bundles_;  // the keys that preloaded bundles held
  std::map<oci::Digest, State*> seen_;
  std::vector<FetchedFromCache> fetched_;
};

}  // namespace kiln
