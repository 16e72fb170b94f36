#pragma once

#include <map>
#include <memory>
#include <string>

#include "builder/cache/cache_prune.hpp"
#include "builder/cache/registry_backend.hpp"
#include "builder/retention/repository_contents.hpp"

namespace kiln {

// A shared cache in a repository of a registry, to be pruned: its entries (builder/cache/registry_backend.hpp) are
// manifests with a tag each; images and releases in the same repository are none of it. Others may write to it
// meanwhile. An entry's time is the day on which it was written. The registry takes blobs away by itself, when it
// collects garbage. At GitHub (`packages` not null) versions of the package are deleted. Borrows the session.
class CacheRepository : public PrunableCache {
 public:
  CacheRepository(const std::string& reference, RemoteSession& session, std::unique_ptr<GithubPackages> packages);

  const std::string& name() const override { return cache_.name(); }
  // Error{network} where the registry does not list it, or does not know it.
  CacheHoldings holdings() override;
  // False where the tag names something else by now, or GitHub does not let it go.
  bool remove(const HeldEntry& entry) override;
  bool remove(const HeldBlob& blob) override;

 private:
  struct Stored {
    oci::Digest digest;
    std::optional<std::uint64_t> version;
  };
  RemoteSession& session_;
  RegistryBackend cache_;
  RemoteRepository place_;
  std::unique_ptr<GithubPackages> packages_;
  std::map<std::string, Stored> stored_;  // by key
};

}  // namespace kiln
