#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "builder/cache/cache_entry.hpp"
#include "registry/oci/descriptor.hpp"
#include "registry/remote/remote_session.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

// What a look-up of one key came to: an entry, or the reason why there is none ("" where the cache simply has none).
struct CacheFinding {
  std::optional<CacheEntry> entry;
  std::string reason;
};

// One place that keeps entries and blobs beyond this machine's own store: a folder, an http server, a registry.
//
// Entries come out as they were put in, whole (see parse_entry), but not yet checked for a signature: SharedCache does that,
// and everybody else goes through it. Any thread. Every method ends within the backend's deadline or while bytes move. A place
// that cannot be reached, refuses, or is too slow: Error{network}, for a folder Error{machine}; after that the caller decides
// whether to ask again.
class CacheBackend {
 public:
  virtual ~CacheBackend() = default;

  // As people know it, without credentials: "registry ghcr.io/acme/cache", "http cache.acme:8080", "folder '/srv/cache'".
  virtual const std::string& name() const = 0;

  // Many keys at a time; the findings are in the order of the keys. An entry that is damaged or another key's is a finding
  // with a reason, no error.
  virtual std::vector<CacheFinding> find(std::span<const std::string> keys) = 0;

  // Publishes an entry whose blobs were put before (those of entry.blobs). One that exists is replaced whole: a reader sees
  // the old one or the new one.
  virtual void put(const CacheEntry& entry) = 0;

  // Whether the blob is there.
  virtual bool has_blob(const oci::Descriptor& blob) = 0;
  // Into the store, verified by digest and size and leased. False where the place does not have it; Error{network} where
  // what it has is another blob. Nothing wrong is ever published.
  virtual bool get_blob(const oci::Descriptor& blob, ContentStore& store) = 0;
  // From the store. Nothing is sent where the place has it already; a registry takes it from `elsewhere`, a repository of its
  // own that has it, where it can.
  virtual void put_blob(const oci::Descriptor& blob, const ContentStore& store, std::span<const RemoteRepository> elsewhere) = 0;

  // The repository whose blobs an image can be pushed from by mounting; nullopt for what is no registry.
  virtual std::optional<RemoteRepository> repository() const { return std::nullopt; }
};

}  // namespace kiln
