#include "builder/cache/cache_blobs.hpp"

#include <algorithm>

namespace kiln {

void CacheBlobs::note(const std::vector<oci::Descriptor>& blobs, GuardedPlace& place) {
  const std::lock_guard lock(mutex_);
  for (const oci::Descriptor& blob : blobs) seen_.try_emplace(blob.digest, &place);
}

std::vector<GuardedPlace*> CacheBlobs::places_of(const oci::Digest& blob) const {
  const std::lock_guard lock(mutex_);
  std::vector<GuardedPlace*> order;
  for (const auto& place : places_) {
    if (place->reads()) order.push_back(place.get());
  }
  if (const auto it = seen_.find(blob); it != seen_.end()) {
    std::stable_partition(order.begin(), order.end(), [&](const GuardedPlace* place) { return place == it->second; });
  }
  return order;
}

bool CacheBlobs::has(const oci::Descriptor& blob) {
  {
    const std::lock_guard lock(mutex_);
    const auto it = seen_.find(blob.digest);
    if (it != seen_.end() && !it->second->backend().is_on_this_machine()) return true;
  }
  for (GuardedPlace* place : places_of(blob.digest)) {
    bool has = false;
    place->read([&] { has = place->backend().has_blob(blob); });
    if (has) return true;
  }
  return false;
}

bool CacheBlobs::fetch(const oci::Descriptor& blob, ContentStore& store, FetchedKind what, std::string_view step) {
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
  for (GuardedPlace* place : places_of(blob.digest)) {
    bool got = false;
    place->read([&] { got = place->backend().get_blob(blob, store); });
    if (!got) continue;
    {
      const std::lock_guard lock(mutex_);
      fetched_.push_back({place->name(), what, std::string(step), blob.digest, blob.size});
    }
    for (const auto& nearer : places_) {
      if (nearer.get() == place) break;
      if (nearer->writes()) nearer->write(WriteKind::fresh, [&] { nearer->backend().put_blob(blob, store, {}); });
    }
    return true;
  }
  return false;
}

std::optional<RemoteRepository> CacheBlobs::repository_of(const oci::Digest& blob) const {
  const std::lock_guard lock(mutex_);
  const auto it = seen_.find(blob);
  return it == seen_.end() ? std::nullopt : it->second->backend().repository();
}

std::vector<FetchedFromCache> CacheBlobs::fetched() const {
  const std::lock_guard lock(mutex_);
  return fetched_;
}

}  // namespace kiln
