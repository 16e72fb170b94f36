#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "builder/cache/cache_entry.hpp"
#include "builder/cache/cache_reference.hpp"
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
// Entries come out as they were put in, whole (see parse_entry), but not yet checked for a signature: SharedCache does
// that, and everybody else goes through it. Any thread. No method waits longer than the place's timeout while less than
// a kilobyte moves. A place that cannot be reached or is too slow: TransportError; that refuses: RegistryError; a
// folder that cannot be used: Error{machine}. A plain Error{network} speaks of one answer that was wrong, not of the
// place.
class CacheBackend {
 public:
  virtual ~CacheBackend() = default;

  // As people know it, without credentials: "registry ghcr.io/acme/cache", "http cache.acme:8080", "folder
  // '/srv/cache'".
  virtual const std::string& name() const = 0;

  // Many keys at a time; the findings are in the order of the keys. An entry that is damaged or another key's is a
  // finding with a reason, no error.
  virtual std::vector<CacheFinding> find(std::span<const std::string> keys) = 0;

  // Publishes an entry whose blobs were put before (those of entry.blobs). One that exists is replaced whole: a reader
  // sees the old one or the new one.
  virtual void put(const CacheEntry& entry) = 0;

  // Takes an entry away. False where the place cannot do that: it is still there.
  virtual bool remove(const CacheEntry& entry) = 0;

  // Whether the blob is there.
  virtual bool has_blob(const oci::Descriptor& blob) = 0;
  // Into the store, verified by digest and size and leased. False where the place does not have it; Error{network}
  // where what it has is another blob. Nothing wrong is ever published.
  virtual bool get_blob(const oci::Descriptor& blob, ContentStore& store) = 0;
  // From the store. Nothing is sent where the place has it already; a registry takes it from `elsewhere`, a repository
  // of its own that has it, where it can. False where neither the store nor those have it.
  virtual bool put_blob(const oci::Descriptor& blob, const ContentStore& store,
                        std::span<const RemoteRepository> elsewhere) = 0;

  // Whether asking it costs no request.
  virtual bool is_on_this_machine() const { return false; }

  // The repository whose blobs an image can be pushed from by mounting; nullopt for what is no registry.
  virtual std::optional<RemoteRepository> repository() const { return std::nullopt; }
};

// Blobs of a place that turned out to be others than their names say: they are there, and still have to be put. Any
// thread.
class DamagedBlobs {
 public:
  void add(const oci::Digest& blob) {
    const std::lock_guard lock(mutex_);
    blobs_.insert(blob);
  }
  bool has(const oci::Digest& blob) const {
    const std::lock_guard lock(mutex_);
    return blobs_.count(blob) > 0;
  }

 private:
  mutable std::mutex mutex_;
  std::set<oci::Digest> blobs_;
};

// The backend of a reference. `session` is borrowed; its settings say how long is waited.
std::unique_ptr<CacheBackend> open_cache_backend(const CacheReference& reference, RemoteSession& session);

}  // namespace kiln
