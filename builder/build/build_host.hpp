#pragma once

#include <memory>

#include "base/cancel.hpp"
#include "base/log.hpp"
#include "builder/run/runner.hpp"
#include "builder/solve/base_images.hpp"
#include "builder/steps/add_sources.hpp"
#include "builder/steps/build_clock.hpp"
#include "registry/remote/remote_session.hpp"
#include "registry/store/layout.hpp"

namespace kiln {

// What a build reaches beyond its own code: the process that starts containers, the home, registries, sources, the
// clock. This is the real one; a test has another. Used by one build, from the thread that builds.
class BuildHost {
 public:
  virtual ~BuildHost() = default;

  // Called first, while there is one thread. nullptr for a host that has another container_runner().
  virtual std::unique_ptr<Runner> start_runner() const;
  // What RUN is run by; `started` is what start_runner() returned.
  virtual ContainerRunner& container_runner(Runner* started) const { return *started; }
  // After the runner was started, since the home depends on the user that kiln is then.
  virtual HomeLayout open_home() const;
  // Borrows the log. For images and pushes; shared caches have sessions of their own.
  virtual std::unique_ptr<RemoteSession> open_remote(Log& log, const CancelToken& cancel) const;
  virtual std::unique_ptr<BaseSource> open_bases(const BaseTools& tools, const BaseSettings& settings) const;
  virtual std::unique_ptr<SourceFetcher> open_fetcher(LayerAccess& layers) const;
  virtual const BuildClock& clock() const;
};

// The one of this machine.
const BuildHost& this_host();

}  // namespace kiln
