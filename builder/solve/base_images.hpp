#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "builder/debian/lock.hpp"
#include "builder/debian/package_store.hpp"
#include "builder/solve/base_source.hpp"
#include "builder/steps/events.hpp"
#include "builder/steps/layer_access.hpp"
#include "builder/steps/step.hpp"
#include "builder/steps/work_slots.hpp"

namespace kiln {

// How names outside of the build come to images.
struct BaseSettings {
  fs::path lock_file;  // images/kiln.lock; empty: nothing is locked
  LockPolicy lock_policy = LockPolicy::use;
  bool pull = false;         // --pull: ask registries anew even where the lock knows
  bool offline = false;      // --offline: what the store does not have is an error
  bool prefer_local = true;  // an image of the store's index.json is what its name refers to
  UnixSeconds epoch = kReproducibleEpoch;
  bool use_cache = true;
};

// What bases are looked for, and Debian roots built, with; borrowed.
struct BaseTools {
  LayerAccess& layers;
  LazyRemote& remote;
  StepSolver& steps;
  BuildObserver& observer;
};

// Resolves images of registries (each once; manifests and configs only, layers follow when something needs them),
// images of the store and of other OCI layouts, and Debian root file systems. Any thread.
class BaseImages final : public BaseSource {
 public:
  BaseImages(const BaseTools& tools, BaseSettings settings)
      : access_(tools.layers),
        remote_(tools.remote),
        steps_(tools.steps),
        observer_(tools.observer),
        settings_(std::move(settings)) {}

  BaseImage image(const std::string& reference, const oci::Platform& platform, Pull pull) override;
  BaseImage layout(const LayoutBase& layout, const oci::Platform& platform) override;
  OrBlocked<BaseImage> debian(const DebianRequest& request, const oci::Platform& platform,
                              const std::string& target) override;
  void lose(const Blocked& lost) override;
  std::map<std::string, std::string> would_lock() const override;

 private:
  LockPolicy lock_policy() const { return settings_.offline ? LockPolicy::frozen : settings_.lock_policy; }
  void note_lock(const std::string& name, std::string sentence);
  Step debian_step(const DebianRequest& request, const DebianLock& lock, const oci::Platform& platform,
                   const std::string& target) const;
  BaseImage from_store_alone(const oci::Reference& reference, const oci::Platform& platform, const std::string& name);
  BaseImage fetch(const std::string& reference, const oci::Platform& platform, Pull pull);
  OrBlocked<BaseImage> build_debian_base(const DebianRequest& request, const oci::Platform& platform,
                                         const std::string& target);
  OrBlocked<StepDone> unknown_debian_step(const DebianRequest& request, const oci::Platform& platform,
                                          const std::string& target);
  std::vector<LayerValue> build_debian(const DebianLock& lock, const PackageStore& packages,
                                       const DebianRequest& request, int number);

  LayerAccess& access_;
  LazyRemote& remote_;
  StepSolver& steps_;
  BuildObserver& observer_;
  BaseSettings settings_;
  SingleFlight<BaseImage> flights_;
  SingleFlight<OrBlocked<BaseImage>> debian_flights_;
  std::mutex debian_mutex_;
  std::map<std::string, std::string> debian_steps_;  // by step key, the key of its flight
  mutable std::mutex would_lock_mutex_;
  std::map<std::string, std::string> would_lock_;
};

// The image that a descriptor of a store refers to, its layers not necessarily there.
BaseImage stored_image(ContentStore& store, const oci::Descriptor& root, const oci::Platform& platform,
                       const std::string& name);

}  // namespace kiln
