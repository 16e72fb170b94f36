#include "builder/retention/cache_repository.hpp"

#include <fmt/format.h>

#include "builder/retention/retention_plan.hpp"

namespace kiln {

CacheRepository::CacheRepository(const std::string& reference, RemoteSession& session,
                                 std::unique_ptr<GithubPackages> packages)
    : session_(session), cache_(reference, session), place_(*cache_.repository()), packages_(std::move(packages)) {}

CacheHoldings CacheRepository::holdings() {
  const RepositoryContents contents = read_repository(session_, place_, packages_.get());
  if (!contents.is_known) throw Error(Category::network, fmt::format("{}: there is no such repository", name()));
  CacheHoldings held;
  std::vector<std::string> bundles;
  for (const auto& [digest, manifest] : contents.manifests) {
    // A manifest with two tags is of no kiln: deleting it takes both along.
    if (!is_cache_entry(manifest) || manifest.tags.size() != 1) continue;
    const std::string& key = manifest.tags.front();
    stored_[key] = {digest, manifest.version};
    if (manifest.artifact_type == kBundleEntryType) bundles.push_back(key);
    held.entries.push_back({key, manifest.artifact_type, manifest.date, manifest.descriptor.size, manifest.blobs, {}});
  }
  std::map<std::string, std::set<std::string>> bundled;
  for (const CacheFinding& found : cache_.find(bundles)) {
    if (found.entry) bundled[found.entry->key] = held_entry(*found.entry, 0, 0).bundled;
  }
  for (HeldEntry& entry : held.entries) {
    if (const auto keys = bundled.find(entry.key); keys != bundled.end()) entry.bundled = keys->second;
  }
  return held;
}

bool CacheRepository::remove(const HeldEntry& entry) {
  const Stored& stored = stored_.at(entry.key);
  RegistryClient client = session_.client(place_.endpoint);
  const auto now = client.resolve(place_.repository, entry.key);
  if (!now) return true;
  if (now->digest != stored.digest) return false;
  if (!packages_) {
    client.delete_manifest(place_.repository, stored.digest.str());
    return true;
  }
  if (!stored.version) return false;
  const PackageRemoval removal = packages_->remove(place_.repository, *stored.version);
  return removal == PackageRemoval::removed || removal == PackageRemoval::absent;
}

bool CacheRepository::remove(const HeldBlob&) { return false; }

}  // namespace kiln
