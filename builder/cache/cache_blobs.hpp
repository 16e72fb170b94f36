#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "builder/cache/fetched_kind.hpp"
#include "builder/cache/guarded_place.hpp"

namespace kiln {

// What was fetched from a shared cache, and for what.
struct FetchedFromCache {
  std::string place;  // CacheBackend::name()
  FetchedKind what = FetchedKind::layer;
  std::string step;  // "RUN pip install ...": what needed it
  oci::Digest digest;
  std::uint64_t bytes = 0;
};

// The blobs of a shared cache's places: where each was seen, and what was fetched. Any thread.
class CacheBlobs {
 public:
  // Borrows the places, which are asked in their order.
  explicit CacheBlobs(const std::vector<std::unique_ptr<GuardedPlace>>& places) : places_(places) {}

  void note(const std::vector<oci::Descriptor>& blobs, GuardedPlace& place);
  // SharedCache::fetch_blob().
  bool fetch(const oci::Descriptor& blob, ContentStore& store, FetchedKind what, std::string_view step);
  // SharedCache::has_blob().
  bool has(const oci::Descriptor& blob);
  std::optional<RemoteRepository> repository_of(const oci::Digest& blob) const;
  std::vector<FetchedFromCache> fetched() const;

 private:
  // The places that are read, that where the blob was seen first.
  std::vector<GuardedPlace*> places_of(const oci::Digest& blob) const;

  const std::vector<std::unique_ptr<GuardedPlace>>& places_;
  mutable std::mutex mutex_;
  std::map<oci::Digest, GuardedPlace*> seen_;
  std::map<oci::Digest, std::shared_ptr<std::mutex>> fetching_;
  std::vector<FetchedFromCache> fetched_;
};

}  // namespace kiln
