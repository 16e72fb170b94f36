#include "builder/cache/shared_cache.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/thread_pool.hpp"
#include "builder/cache/entry_bundle.hpp"
#include "registry/remote/registry_error.hpp"

namespace kiln {

namespace {

constexpr std::size_t kParallelWrites = 8;

// Whether an error speaks of the place, not of one answer.
bool is_of_place(const Error& error) {
  return error.category() == Category::machine || dynamic_cast<const TransportError*>(&error) ||
         dynamic_cast<const RegistryError*>(&error);
}

}  // namespace

struct SharedCache::Place {
  CachePlace place;
  std::atomic<bool> is_silent{false};    // not asked any more
  std::atomic<bool> is_refusing{false};  // not written any more
  std::optional<Error> write_error;      // the first
};

struct SharedCache::Known {
  CacheEntry entry;
  Place* place = nullptr;  // nullptr: put by this process
};

SharedCache::SharedCache(std::vector<CachePlace> places, EntrySignatures signatures, Log& log)
    : signatures_(std::move(signatures)), log_(log) {
  for (CachePlace& place : places) {
    auto state = std::make_unique<Place>();
    state->place = std::move(place);
    places_.push_back(std::move(state));
  }
}

SharedCache::~SharedCache() = default;

bool SharedCache::is_read() const {
  return std::any_of(places_.begin(), places_.end(), [](const auto& place) { return place->place.reads; });
}

bool SharedCache::is_written() const {
  return std::any_of(places_.begin(), places_.end(), [](const auto& place) { return place->place.writes; });
}

// Does work with a place. An error costs a warning; one that speaks of the place ends its use.
template <class Work>
bool SharedCache::guarded(Place& place, bool is_write, Work work) {
  std::atomic<bool>& stopped = is_write ? place.is_refusing : place.is_silent;
  if (stopped || place.is_silent) return false;
  try {
    work();
    return true;
  } catch (const Error& error) {
    if (error.category() == Category::cancelled) throw;
    const bool ends = is_of_place(error);
    // What cannot be asked is not written either.
    if (is_write || (ends && place.place.writes)) {
      const std::lock_guard lock(mutex_);
      if (!place.write_error) place.write_error = error;
    }
    if (ends && stopped.exchange(true)) return false;
    const char* consequence = !ends ? "" : is_write ? "; nothing more is written to it" : "; going on without it";
    log_.warn(fmt::format("shared cache {}: {}{}", place.place.backend->name(), error.message(), consequence));
    return false;
  }
}

std::string SharedCache::problem_of(const CacheEntry& entry, std::string_view media_type) const {
  if (entry.media_type != media_type)
    return fmt::format("it is of the kind '{}', expected '{}'", printable(entry.media_type), media_type);
  return signatures_.problem(entry);
}

void SharedCache::note(const CacheEntry& entry, Place* place) {
  const std::lock_guard lock(mutex_);
  known_[entry.key] = {entry, place};
  for (const oci::Descriptor& blob : entry.blobs) {
    if (place) seen_.try_emplace(blob.digest, place);
  }
}

std::vector<CacheFinding> SharedCache::ask(Place& place, std::span<const std::string> keys) {
  std::vector<CacheFinding> findings;
  const bool answered = guarded(place, false, [&] { findings = place.place.backend->find(keys); });
  if (!answered) findings.assign(keys.size(), {});
  return findings;
}

void SharedCache::write_nearer(const CacheEntry& entry, const Place& from) {
  for (const auto& place : places_) {
    if (place.get() == &from) return;
    if (!place->place.writes) continue;
    CacheEntry copy = entry;
    // What it does not have yet comes when it is fetched.
    std::erase_if(copy.blobs, [&](const oci::Descriptor& blob) {
      bool has = false;
      guarded(*place, true, [&] { has = place->place.backend->has_blob(blob); });
      return !has;
    });
    guarded(*place, true, [&] { place->place.backend->put(copy); });
  }
}

std::vector<SharedCache::Found> SharedCache::find(std::span<const std::string> keys, std::string_view media_type) {
  load_expected();
  std::vector<Found> found(keys.size());
  std::vector<std::size_t> open;
  {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (distrusted_.count(keys[i])) {
        found[i].reason = "what it needs cannot be had from any cache";
      } else if (const auto it = known_.find(keys[i]);
                 it != known_.end() && it->second.place && it->second.entry.media_type == media_type) {
        found[i].entry = it->second.entry;
        found[i].from = it->second.place->place.backend->name();
      } else {
        open.push_back(i);
      }
    }
  }
  for (const auto& place : places_) {
    if (open.empty()) break;
    if (!place->place.reads) continue;
    std::vector<std::string> asked;
    for (const std::size_t i : open) asked.push_back(keys[i]);
    std::vector<CacheFinding> findings = ask(*place, asked);
    std::vector<std::size_t> still_open;
    for (std::size_t i = 0; i < findings.size(); ++i) {
      Found& result = found[open[i]];
      std::string problem = findings[i].reason;
      if (findings[i].entry) problem = problem_of(*findings[i].entry, media_type);
      if (!problem.empty()) {
        result.reason = fmt::format("the entry in {} cannot be used: {}", place->place.backend->name(), problem);
        log_.warn(fmt::format("shared cache {}: entry {} is not used: {}", place->place.backend->name(),
                              asked[i].substr(0, 12), problem));
      }
      if (!findings[i].entry || !problem.empty()) {
        still_open.push_back(open[i]);
        continue;
      }
      result = {std::move(findings[i].entry), place->place.backend->name(), ""};
      note(*result.entry, place.get());
      write_nearer(*result.entry, *place);
    }
    open = std::move(still_open);
  }
  return found;
}

SharedCache::Found SharedCache::find(const std::string& key, std::string_view media_type) {
  return find(std::span(&key, 1), media_type).front();
}

SharedCache::Place* SharedCache::meeting_place() const {
  for (auto place = places_.rbegin(); place != places_.rend(); ++place) {
    if ((*place)->place.reads && (*place)->place.writes) return place->get();
  }
  return nullptr;
}

std::optional<CacheEntry> SharedCache::find_at_meeting_place(const std::string& key, std::string_view media_type) {
  Place* place = meeting_place();
  if (!place) return std::nullopt;
  std::vector<CacheFinding> findings = ask(*place, std::span(&key, 1));
  if (!findings[0].entry || !problem_of(*findings[0].entry, media_type).empty()) return std::nullopt;
  return std::move(findings[0].entry);
}

void SharedCache::put_at_meeting_place(CacheEntry entry) {
  Place* place = meeting_place();
  if (!place) return;
  if (signatures_.can_sign()) entry.signature = signatures_.sign(entry);
  guarded(*place, true, [&] { place->place.backend->put(entry); });
}

bool SharedCache::remove_at_meeting_place(const std::string& key, std::string_view media_type) {
  Place* place = meeting_place();
  CacheEntry entry;
  entry.key = key;
  entry.media_type = std::string(media_type);
  bool removed = false;
  if (place) guarded(*place, true, [&] { removed = place->place.backend->remove(entry); });
  return removed;
}

void SharedCache::distrust(const std::string& key) {
  const std::lock_guard lock(mutex_);
  distrusted_.insert(key);
  known_.erase(key);
}

void SharedCache::expect_bundles(const std::vector<std::string>& bundle_keys) {
  const std::lock_guard lock(expected_mutex_);
  expected_.insert(expected_.end(), bundle_keys.begin(), bundle_keys.end());
}

// Others wait for who loads: their keys may be in it.
void SharedCache::load_expected() {
  const std::lock_guard lock(expected_mutex_);
  if (expected_.empty()) return;
  preload(expected_);
  expected_.clear();
}

std::vector<CacheEntry> SharedCache::preloaded() const {
  const std::lock_guard lock(mutex_);
  std::vector<CacheEntry> entries;
  for (const auto& [name, keys] : bundles_) {
    for (const std::string& key : keys) {
      const auto it = known_.find(key);
      if (it != known_.end() && it->second.entry.media_type == kStepEntryType) entries.push_back(it->second.entry);
    }
  }
  return entries;
}

void SharedCache::preload(const std::vector<std::string>& bundle_keys) {
  std::vector<std::string> open = bundle_keys;
  for (const auto& place : places_) {
    if (open.empty()) return;
    if (!place->place.reads) continue;
    const std::vector<CacheFinding> findings = ask(*place, open);
    std::vector<std::string> still_open;
    for (std::size_t i = 0; i < findings.size(); ++i) {
      if (!findings[i].entry || findings[i].entry->media_type != kBundleEntryType) {
        still_open.push_back(open[i]);
        continue;
      }
      std::vector<CacheEntry> entries;
      guarded(*place, false,
              [&] { entries = parse_bundle(findings[i].entry->content, "bundle of " + place->place.backend->name()); });
      std::vector<std::string> keys;
      for (CacheEntry& entry : entries) {
        if (!signatures_.problem(entry).empty()) continue;  // looked up by itself, it is a stated miss
        keys.push_back(entry.key);
        note(entry, place.get());
      }
      const std::lock_guard lock(mutex_);
      bundles_[open[i]] = std::move(keys);
    }
    open = std::move(still_open);
  }
}

void SharedCache::put_bundle(const std::string& bundle_key, std::span<const std::string> keys) {
  CacheEntry bundle;
  {
    const std::lock_guard lock(mutex_);
    const std::vector<std::string>& earlier = bundles_[bundle_key];
    std::vector<CacheEntry> entries;
    std::set<std::string> taken;
    bool is_new = false;
    const auto take = [&](const std::string& key) {
      const auto it = known_.find(key);
      if (it == known_.end() || !taken.insert(key).second) return;
      entries.push_back(it->second.entry);
    };
    for (const std::string& key : keys) {
      is_new = is_new || (known_.count(key) && std::find(earlier.begin(), earlier.end(), key) == earlier.end());
      take(key);
    }
    if (!is_new) return;
    for (const std::string& key : earlier) take(key);
    bundle.key = bundle_key;
    bundle.media_type = kBundleEntryType;
    bundle.content = serialise_bundle(entries);
  }
  if (signatures_.can_sign()) bundle.signature = signatures_.sign(bundle);
  for (const auto& place : places_) {
    if (place->place.writes) guarded(*place, true, [&] { place->place.backend->put(bundle); });
  }
}

void SharedCache::put_one(Place& place, const NewCacheEntry& entry, const ContentStore& store,
                          const std::map<oci::Digest, std::vector<RemoteRepository>>& elsewhere) {
  CacheEntry written = entry.entry;
  CacheBackend& backend = *place.place.backend;
  const auto put_blob = [&](const oci::Descriptor& blob) {
    const auto it = elsewhere.find(blob.digest);
    const std::vector<RemoteRepository> none;
    if (backend.put_blob(blob, store, it == elsewhere.end() ? none : it->second)) written.blobs.push_back(blob);
  };
  guarded(place, true, [&] {
    for (const oci::Descriptor& blob : entry.always) put_blob(blob);
    if (place.place.mode == CacheMode::max) {
      for (const oci::Descriptor& blob : entry.with_max) put_blob(blob);
    }
    backend.put(written);
    const std::lock_guard lock(mutex_);
    Known& known = known_[written.key];
    if (known.place) return;
    known.entry = written;
    if (!place.place.reads) return;
    known.place = &place;
    for (const oci::Descriptor& blob : written.blobs) seen_.try_emplace(blob.digest, &place);
  });
}

void SharedCache::put(std::vector<NewCacheEntry> entries, const ContentStore& store,
                      const std::map<oci::Digest, std::vector<RemoteRepository>>& elsewhere) {
  if (entries.empty() || !is_written()) return;
  load_expected();
  for (NewCacheEntry& entry : entries) {
    if (signatures_.can_sign()) entry.entry.signature = signatures_.sign(entry.entry);
  }
  ThreadPool pool(std::min(entries.size(), kParallelWrites));
  for (const auto& place : places_) {
    if (!place->place.writes) continue;
    // Found there in this build, or now: there is nothing to write.
    std::vector<std::size_t> open;
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const std::lock_guard lock(mutex_);
      const auto it = known_.find(entries[i].entry.key);
      if (it != known_.end() && it->second.place == place.get()) continue;
      open.push_back(i);
      keys.push_back(entries[i].entry.key);
    }
    const std::vector<CacheFinding> there = ask(*place, keys);
    std::vector<std::size_t> missing;
    for (std::size_t i = 0; i < open.size(); ++i) {
      const auto& found = there[i].entry;
      const bool is_good = found && problem_of(*found, entries[open[i]].entry.media_type).empty();
      if (is_good) {
        note(*found, place.get());
      } else {
        missing.push_back(open[i]);
      }
    }
    pool.parallel_for(missing.size(), [&](std::size_t i) { put_one(*place, entries[missing[i]], store, elsewhere); });
  }
}

void SharedCache::replace(NewCacheEntry entry, const ContentStore& store) {
  if (signatures_.can_sign()) entry.entry.signature = signatures_.sign(entry.entry);
  bool is_distrusted = false;
  {
    const std::lock_guard lock(mutex_);
    is_distrusted = distrusted_.count(entry.entry.key) > 0;
  }
  ThreadPool pool(std::clamp<std::size_t>(entry.always.size(), 1, kParallelWrites));
  for (const auto& place : places_) {
    if (!place->place.writes) continue;
    CacheBackend& backend = *place->place.backend;
    const auto earlier = ask(*place, std::span(&entry.entry.key, 1)).front().entry;
    std::set<oci::Digest> there;
    if (earlier && !is_distrusted && problem_of(*earlier, entry.entry.media_type).empty()) {
      if (earlier->content == entry.entry.content) continue;
      // A registry keeps the blobs of what it keeps; others may have lost some.
      for (const oci::Descriptor& blob : earlier->blobs) {
        if (backend.repository()) there.insert(blob.digest);
      }
    }
    guarded(*place, true, [&] {
      CacheEntry written = entry.entry;
      pool.parallel_for(entry.always.size(), [&](std::size_t i) {
        if (!there.count(entry.always[i].digest)) backend.put_blob(entry.always[i], store, {});
      });
      written.blobs = entry.always;
      backend.put(written);
    });
  }
}

std::vector<SharedCache::Place*> SharedCache::places_of(const oci::Digest& blob) const {
  const std::lock_guard lock(mutex_);
  std::vector<Place*> order;
  for (const auto& place : places_) {
    if (place->place.reads) order.push_back(place.get());
  }
  if (const auto it = seen_.find(blob); it != seen_.end()) {
    std::stable_partition(order.begin(), order.end(), [&](const Place* place) { return place == it->second; });
  }
  return order;
}

bool SharedCache::has_blob(const oci::Descriptor& blob) {
  if (repository_of(blob.digest)) return true;
  for (Place* place : places_of(blob.digest)) {
    bool has = false;
    guarded(*place, false, [&] { has = place->place.backend->has_blob(blob); });
    if (has) return true;
  }
  return false;
}

bool SharedCache::fetch_blob(const oci::Descriptor& blob, ContentStore& store, std::string_view what,
                             std::string_view step) {
  std::shared_ptr<std::mutex> alone;
  {
    const std::lock_guard lock(mutex_);
    auto& fetching = fetching_[blob.digest];
    if (!fetching) fetching = std::make_shared<std::mutex>();
    alone = fetching;
  }
  const std::lock_guard once(*alone);
  store.lease(blob.digest);
  if (store.has(blob.digest)) return true;
  for (Place* place : places_of(blob.digest)) {
    bool got = false;
    guarded(*place, false, [&] { got = place->place.backend->get_blob(blob, store); });
    if (!got) continue;
    {
      const std::lock_guard lock(mutex_);
      fetched_.push_back({place->place.backend->name(), std::string(what), std::string(step), blob.digest, blob.size});
    }
    for (const auto& nearer : places_) {
      if (nearer.get() == place) break;
      if (nearer->place.writes) guarded(*nearer, true, [&] { nearer->place.backend->put_blob(blob, store, {}); });
    }
    return true;
  }
  return false;
}

std::optional<RemoteRepository> SharedCache::repository_of(const oci::Digest& blob) const {
  const std::lock_guard lock(mutex_);
  const auto it = seen_.find(blob);
  return it == seen_.end() ? std::nullopt : it->second->place.backend->repository();
}

std::vector<RemoteRepository> SharedCache::written_repositories() const {
  std::vector<RemoteRepository> repositories;
  for (const auto& place : places_) {
    const auto repository = place->place.backend->repository();
    if (place->place.writes && repository) repositories.push_back(*repository);
  }
  return repositories;
}

std::vector<FetchedFromCache> SharedCache::fetched() const {
  const std::lock_guard lock(mutex_);
  return fetched_;
}

void SharedCache::finish() const {
  for (const auto& place : places_) {
    if (place->place.ignore_error || !place->write_error) continue;
    throw Error(Category::network, fmt::format("shared cache {} could not be written: {}", place->place.backend->name(),
                                               place->write_error->message()));
  }
}

}  // namespace kiln
