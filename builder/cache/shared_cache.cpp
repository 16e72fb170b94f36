#include "builder/cache/shared_cache.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "base/thread_pool.hpp"
#include "builder/cache/entry_bundle.hpp"

namespace kiln {

namespace {

constexpr std::size_t kParallelWrites = 8;

}  // namespace

struct SharedCache::Known {
  CacheEntry entry;
  GuardedPlace* place = nullptr;  // nullptr: put by this process
};

SharedCache::SharedCache(std::vector<CachePlace> places, EntrySignatures signatures, Log& log)
    : signatures_(std::move(signatures)), log_(log), blobs_(places_) {
  for (CachePlace& place : places) places_.push_back(std::make_unique<GuardedPlace>(std::move(place), log));
}

SharedCache::~SharedCache() = default;

bool SharedCache::is_read() const {
  return std::any_of(places_.begin(), places_.end(), [](const auto& place) { return place->reads(); });
}

bool SharedCache::is_written() const {
  return std::any_of(places_.begin(), places_.end(), [](const auto& place) { return place->writes(); });
}

std::string SharedCache::problem_of(const CacheEntry& entry, std::string_view media_type) const {
  if (entry.media_type != media_type)
    return fmt::format("it is of the kind '{}', expected '{}'", printable(entry.media_type), media_type);
  return signatures_.problem(entry);
}

void SharedCache::note(const CacheEntry& entry, GuardedPlace* place) {
  const std::lock_guard lock(mutex_);
  known_[entry.key] = {entry, place};
  if (place) blobs_.note(entry.blobs, *place);
}

std::vector<CacheFinding> SharedCache::ask(GuardedPlace& place, std::span<const std::string> keys) {
  std::vector<CacheFinding> findings;
  const bool answered = place.read([&] { findings = place.backend().find(keys); });
  if (!answered) findings.assign(keys.size(), {});
  return findings;
}

void SharedCache::write_nearer(const CacheEntry& entry, const GuardedPlace& from) {
  for (const auto& place : places_) {
    if (place.get() == &from) return;
    if (!place->writes()) continue;
    CacheEntry copy = entry;
    // What it does not have yet comes when it is fetched.
    std::erase_if(copy.blobs, [&](const oci::Descriptor& blob) {
      bool has = false;
      place->write(WriteKind::fresh, [&] { has = place->backend().has_blob(blob); });
      return !has;
    });
    place->write(WriteKind::fresh, [&] { place->backend().put(copy); });
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
        found[i].from = it->second.place->name();
      } else {
        open.push_back(i);
      }
    }
  }
  for (const auto& place : places_) {
    if (open.empty()) break;
    if (!place->reads()) continue;
    std::vector<std::string> asked;
    for (const std::size_t i : open) asked.push_back(keys[i]);
    std::vector<CacheFinding> findings = ask(*place, asked);
    std::vector<std::size_t> still_open;
    for (std::size_t i = 0; i < findings.size(); ++i) {
      Found& result = found[open[i]];
      std::string problem = findings[i].reason;
      if (findings[i].entry) problem = problem_of(*findings[i].entry, media_type);
      if (!problem.empty()) {
        result.reason = fmt::format("the entry in {} cannot be used: {}", place->name(), problem);
        log_.warn(
            fmt::format("shared cache {}: entry {} is not used: {}", place->name(), asked[i].substr(0, 12), problem));
      }
      if (!findings[i].entry || !problem.empty()) {
        still_open.push_back(open[i]);
        continue;
      }
      result = {std::move(findings[i].entry), place->name(), ""};
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

GuardedPlace* SharedCache::meeting_place() const {
  for (auto place = places_.rbegin(); place != places_.rend(); ++place) {
    if ((*place)->reads() && (*place)->writes()) return place->get();
  }
  return nullptr;
}

std::optional<CacheEntry> SharedCache::find_at_meeting_place(const std::string& key, std::string_view media_type) {
  GuardedPlace* place = meeting_place();
  if (!place) return std::nullopt;
  std::vector<CacheFinding> findings = ask(*place, std::span(&key, 1));
  if (!findings[0].entry || !problem_of(*findings[0].entry, media_type).empty()) return std::nullopt;
  return std::move(findings[0].entry);
}

bool SharedCache::put_at_meeting_place(CacheEntry entry, WriteKind kind) {
  GuardedPlace* place = meeting_place();
  if (!place) return false;
  if (signatures_.can_sign()) entry.signature = signatures_.sign(entry);
  return place->write(kind, [&] { place->backend().put(entry); });
}

bool SharedCache::remove_at_meeting_place(const std::string& key, std::string_view media_type) {
  GuardedPlace* place = meeting_place();
  CacheEntry entry;
  entry.key = key;
  entry.media_type = std::string(media_type);
  bool removed = false;
  if (place) place->write(WriteKind::withdrawing, [&] { removed = place->backend().remove(entry); });
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
    if (!place->reads()) continue;
    const std::vector<CacheFinding> findings = ask(*place, open);
    std::vector<std::string> still_open;
    for (std::size_t i = 0; i < findings.size(); ++i) {
      if (!findings[i].entry || findings[i].entry->media_type != kBundleEntryType) {
        still_open.push_back(open[i]);
        continue;
      }
      std::vector<CacheEntry> entries;
      place->read([&] { entries = parse_bundle(findings[i].entry->content, "bundle of " + place->name()); });
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
      is_new = is_new || replaced_.count(key) ||
               (known_.count(key) && std::find(earlier.begin(), earlier.end(), key) == earlier.end());
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
    if (place->writes()) place->write(WriteKind::overwriting, [&] { place->backend().put(bundle); });
  }
}

void SharedCache::put_one(GuardedPlace& place, const NewCacheEntry& entry, WriteKind kind, const ContentStore& store,
                          const std::map<oci::Digest, std::vector<RemoteRepository>>& elsewhere) {
  CacheEntry written = entry.entry;
  CacheBackend& backend = place.backend();
  const auto put_blob = [&](const oci::Descriptor& blob) {
    const auto it = elsewhere.find(blob.digest);
    const std::vector<RemoteRepository> none;
    if (backend.put_blob(blob, store, it == elsewhere.end() ? none : it->second)) written.blobs.push_back(blob);
  };
  const bool is_written = place.write(kind, [&] {
    for (const oci::Descriptor& blob : entry.always) put_blob(blob);
    if (place.mode() == CacheMode::max) {
      for (const oci::Descriptor& blob : entry.with_max) put_blob(blob);
    }
    backend.put(written);
  });
  if (!is_written) return;
  const std::lock_guard lock(mutex_);
  if (distrusted_.erase(written.key) > 0) replaced_.insert(written.key);
  Known& known = known_[written.key];
  if (known.place) return;
  known.entry = written;
  if (!place.reads()) return;
  known.place = &place;
  blobs_.note(written.blobs, place);
}

void SharedCache::put(std::vector<NewCacheEntry> entries, const ContentStore& store,
                      const std::map<oci::Digest, std::vector<RemoteRepository>>& elsewhere) {
  if (entries.empty() || !is_written()) return;
  load_expected();
  std::vector<bool> is_distrusted(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (signatures_.can_sign()) entries[i].entry.signature = signatures_.sign(entries[i].entry);
    const std::lock_guard lock(mutex_);
    is_distrusted[i] = distrusted_.count(entries[i].entry.key) > 0;
  }
  ThreadPool pool(std::min(entries.size(), kParallelWrites));
  for (const auto& place : places_) {
    if (!place->writes()) continue;
    // Found there in this build, or now: there is nothing to write. What stands there of a distrusted key names a layer
    // that cannot be had, and gives way.
    std::vector<std::size_t> open;
    std::vector<std::size_t> missing;
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const std::lock_guard lock(mutex_);
      if (is_distrusted[i]) {
        missing.push_back(i);
        continue;
      }
      const auto it = known_.find(entries[i].entry.key);
      if (it != known_.end() && it->second.place == place.get()) continue;
      open.push_back(i);
      keys.push_back(entries[i].entry.key);
    }
    const std::vector<CacheFinding> there = ask(*place, keys);
    for (std::size_t i = 0; i < open.size(); ++i) {
      const auto& found = there[i].entry;
      const bool is_good = found && problem_of(*found, entries[open[i]].entry.media_type).empty();
      if (is_good) {
        note(*found, place.get());
      } else {
        missing.push_back(open[i]);
      }
    }
    pool.parallel_for(missing.size(), [&](std::size_t i) {
      const std::size_t at = missing[i];
      put_one(*place, entries[at], is_distrusted[at] ? WriteKind::overwriting : WriteKind::fresh, store, elsewhere);
    });
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
    if (!place->writes()) continue;
    CacheBackend& backend = place->backend();
    const auto earlier = ask(*place, std::span(&entry.entry.key, 1)).front().entry;
    std::set<oci::Digest> there;
    if (earlier && !is_distrusted && problem_of(*earlier, entry.entry.media_type).empty()) {
      if (earlier->content == entry.entry.content) continue;
      // A registry keeps the blobs of what it keeps; others may have lost some.
      for (const oci::Descriptor& blob : earlier->blobs) {
        if (backend.repository()) there.insert(blob.digest);
      }
    }
    place->write(earlier ? WriteKind::overwriting : WriteKind::fresh, [&] {
      CacheEntry written = entry.entry;
      pool.parallel_for(entry.always.size(), [&](std::size_t i) {
        if (!there.count(entry.always[i].digest)) backend.put_blob(entry.always[i], store, {});
      });
      written.blobs = entry.always;
      backend.put(written);
    });
  }
}

std::vector<RemoteRepository> SharedCache::written_repositories() const {
  std::vector<RemoteRepository> repositories;
  for (const auto& place : places_) {
    const auto repository = place->backend().repository();
    if (place->writes() && repository) repositories.push_back(*repository);
  }
  return repositories;
}

void SharedCache::finish() const {
  for (const auto& place : places_) {
    const auto error = place->write_error();
    if (place->ignores_error() || !error) continue;
    throw Error(Category::network,
                fmt::format("shared cache {} could not be written: {}", place->name(), error->message()));
  }
}

}  // namespace kiln
