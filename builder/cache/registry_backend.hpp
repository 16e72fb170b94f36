#pragma once

#include <atomic>
#include <string>

#include "builder/cache/cache_backend.hpp"
#include "registry/remote/registry_client.hpp"

namespace kiln {

// A repository of an OCI registry. Each entry is a small artifact of its own (OCI image spec, manifest.md, "Guidelines
// for Artifact Usage") whose tag is the key, so that parallel jobs never overwrite one another's:
//
//   manifest   artifactType and config.mediaType are the entry's. Annotations: dev.kiln.signature, its signature;
//              org.opencontainers.image.created, the day it was written (not the second, so that parallel jobs write
//              the same bytes), by which kiln prune tells its age
//   config     the entry's content; embedded in the descriptor too (descriptor.md, "data") up to 256 KiB, so that one
//   request
//              answers a look-up
//   layers     the entry's blobs: a step's layers and file indexes. Those that an image's repository of the same
//   registry has
//              are mounted from there, not sent again
//
// A claim is written often and is small: its content stands in the annotation dev.kiln.content, its config is the empty
// one (manifest.md, "Guidance for an Empty Descriptor").
//
// The registry refuses a manifest whose blobs it does not have; so an entry's blobs are there when the entry is.
class RegistryBackend : public CacheBackend {
 public:
  // Borrows the session. A tag of the reference has no meaning. Error{network} where registries.conf blocks it.
  RegistryBackend(const std::string& reference, RemoteSession& session);

  const std::string& name() const override { return name_; }
  std::vector<CacheFinding> find(std::span<const std::string> keys) override;
  void put(const CacheEntry& entry) override;
  bool remove(const CacheEntry& entry) override;
  bool has_blob(const oci::Descriptor& blob) override;
  bool get_blob(const oci::Descriptor& blob, ContentStore& store) override;
  bool put_blob(const oci::Descriptor& blob, const ContentStore& store,
                std::span<const RemoteRepository> elsewhere) override;
  std::optional<RemoteRepository> repository() const override { return place_; }

 private:
  CacheFinding find_one(const std::string& key);
  // nullopt where the repository lost the entry's content.
  std::optional<CacheEntry> parse(const std::string& manifest, const std::string& key, const std::string& where);

  RemoteSession& session_;
  RemoteRepository place_;
  std::string name_;
  DamagedBlobs damaged_;
  std::atomic<bool> has_empty_config_{false};
  std::atomic<bool> refuses_delete_{false};
};

}  // namespace kiln
