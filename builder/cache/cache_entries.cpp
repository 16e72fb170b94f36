#include "builder/cache/cache_entries.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/thread_pool.hpp"
#include "builder/cache/entry_bundle.hpp"

namespace kiln {

namespace {

constexpr std::size_t kParallelWrites = 8;

}  // namespace

void CacheEntries::note(const CacheEntry& entry, GuardedPlace* place) {
  const std::lock_guard lock(mutex_);
  known_[entry.key] = {entry, place};
  if (place) blobs_.note(entry.blobs, *place);
}

void CacheEntries::write_nearer(const CacheEntry& entry, const GuardedPlace& from) {
  for (const auto& place : chain_.places()) {
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

std::vector<CacheEntries::Found> CacheEntries::find(std::span<const std::string> keys, std::string_view media_type) {
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
  for (const auto& place : chain_.places()) {
    if (open.empty()) break;
    if (!place->reads()) continue;
    std::vector<std::string> asked;
    for (const std::size_t i : open) asked.push_back(keys[i]);
    std::vector<CacheFinding> findings = PlaceChain::ask(*place, asked);
    std::vector<std::size_t> still_open;
    for (std::size_t i = 0; i < findings.size(); ++i) {
      Found& result = found[open[i]];
      std::string problem = findings[i].reason;
      if (findings[i].entry) problem = chain_.problem_of(*findings[i].entry, media_type);
      if (!problem.empty()) {
        result.reason = fmt::format("the entry in {} cannot be used: {}", place->name(), problem);
        chain_.log().warn(
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

CacheEntries::Found CacheEntries::find(const std::string& key, std::string_view media_type) {
  return find(std::span(&key, 1), media_type).front();
}

void CacheEntries::distrust(const std::string& key) {
  const std::lock_guard lock(mutex_);
  distrusted_.insert(key);
  known_.erase(key);
}

void CacheEntries::expect_bundles(const std::vector<std::string>& bundle_keys) {
  const std::lock_guard lock(expected_mutex_);
  expected_.insert(expected_.end(), bundle_keys.begin(), bundle_keys.end());
}

// Others wait for who loads: their keys may be in it.
void CacheEntries::load_expected() {
  const std::lock_guard lock(expected_mutex_);
  if (expected_.empty()) return;
  preload(expected_);
  expected_.clear();
}

std::vector<CacheEntry> CacheEntries::preloaded() const {
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

void CacheEntries::preload(const std::vector<std::string>& bundle_keys) {
  std::vector<std::string> open = bundle_keys;
  for (const auto& place : chain_.places()) {
    if (open.empty()) return;
    if (!place->reads()) continue;
    const std::vector<CacheFinding> findings = PlaceChain::ask(*place, open);
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
        if (!chain_.signature_problem_of(entry).empty()) continue;  // looked up by itself, it is a stated miss
        keys.push_back(entry.key);
        note(entry, place.get());
      }
      const std::lock_guard lock(mutex_);
      bundles_[open[i]] = std::move(keys);
    }
    open = std::move(still_open);
  }
}

void CacheEntries::put_bundle(const std::string& bundle_key, std::span<const std::string> keys) {
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
  chain_.sign(bundle);
  for (const auto& place : chain_.places()) {
    if (place->writes()) place->write(WriteKind::overwriting, [&] { place->backend().put(bundle); });
  }
}

void CacheEntries::put_one(GuardedPlace& place, const NewCacheEntry& entry, WriteKind kind, const ContentStore& store,
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

void CacheEntries::put(std::vector<NewCacheEntry> entries, const ContentStore& store,
                       const std::map<oci::Digest, std::vector<RemoteRepository>>& elsewhere) {
  if (entries.empty() || !chain_.is_written()) return;
  load_expected();
  std::vector<bool> is_distrusted(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    chain_.sign(entries[i].entry);
    const std::lock_guard lock(mutex_);
    is_distrusted[i] = distrusted_.count(entries[i].entry.key) > 0;
  }
  ThreadPool pool(std::min(entries.size(), kParallelWrites));
  for (const auto& place : chain_.places()) {
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
    const std::vector<CacheFinding> there = PlaceChain::ask(*place, keys);
    for (std::size_t i = 0; i < open.size(); ++i) {
      const auto& found = there[i].entry;
      const bool is_good = found && chain_.problem_of(*found, entries[open[i]].entry.media_type).empty();
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

void CacheEntries::replace(NewCacheEntry entry, const ContentStore& store) {
  chain_.sign(entry.entry);
  bool is_distrusted = false;
  {
    const std::lock_guard lock(mutex_);
    is_distrusted = distrusted_.count(entry.entry.key) > 0;
  }
  ThreadPool pool(std::clamp<std::size_t>(entry.always.size(), 1, kParallelWrites));
  for (const auto& place : chain_.places()) {
    if (!place->writes()) continue;
    CacheBackend& backend = place->backend();
    const auto earlier = PlaceChain::ask(*place, std::span(&entry.entry.key, 1)).front().entry;
    std::set<oci::Digest> there;
    if (earlier && !is_distrusted && chain_.problem_of(*earlier, entry.entry.media_type).empty()) {
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

}  // namespace kiln
