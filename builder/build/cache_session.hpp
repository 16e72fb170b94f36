#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "base/log.hpp"
#include "builder/cache/cache_reference.hpp"
#include "builder/cache/shared_cache.hpp"
#include "builder/plan/plan.hpp"
#include "builder/report/build_report.hpp"
#include "builder/solve/image_assembly.hpp"
#include "builder/solve/step_executor.hpp"
#include "registry/remote/remote_session.hpp"

namespace kiln {

// The shared caches of a build as its flags, bake file or fleet.json say.
struct CacheSettings {
  std::vector<CacheReference> from;
  std::vector<CacheReference> to;
  bool read_only = false;          // nothing is ever written, whatever `to` says
  std::string sign_key;            // a PEM text or the file it is in; empty: entries are not signed
  bool share_mounts = false;       // cache mounts travel too
  std::vector<std::string> trust;  // public keys, likewise; not empty: only entries signed by one of them are used
};

// Adds what the environment says: KILN_CACHE_MODE=read, KILN_CACHE_SIGN_KEY, KILN_CACHE_TRUST. Error{usage} for another
// mode.
void add_cache_environment(CacheSettings& settings);

// An image as a cache wants to know it: its layers, and the repositories it was pushed to.
struct CachedImage {
  std::vector<oci::Descriptor> blobs;
  std::vector<RemoteRepository> pushed_to;
};

// The shared cache of one building command: its places opened, each with connections and a patience of its own.
class CacheSession {
 public:
  // Error{usage} for keys that are none. `log` is borrowed.
  CacheSession(const CacheSettings& settings, Log& log, const CancelToken& cancel);
  ~CacheSession();

  // nullptr where there is no shared cache at all.
  SharedCache* cache() noexcept { return cache_.get(); }

  // nullptr where the cache is not both read and written.
  std::unique_ptr<StepSharing> open_sharing(const ContentStore& store, const CancelToken& cancel);

  // Says for which targets the cache will be asked.
  void expect(const Plan& plan, const std::vector<std::size_t>& wanted);
  // Writes what a build used: its steps, the indexes of foreign layers, and a bundle for each wanted target.
  void write(const Plan& plan, const std::vector<std::size_t>& wanted, const StepExecutor& steps, LayerAccess& layers,
             const ContentStore& store, const std::vector<CachedImage>& images);

  ReportWire wire() const;
  std::vector<ReportFetch> fetched() const;

 private:
  std::vector<std::unique_ptr<RemoteSession>> sessions_;
  std::unique_ptr<SharedCache> cache_;
};

}  // namespace kiln
