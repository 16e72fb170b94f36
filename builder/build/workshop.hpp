#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/cancel.hpp"
#include "base/error.hpp"
#include "base/secret_values.hpp"
#include "base/thread_pool.hpp"
#include "builder/build/asked_bases.hpp"
#include "builder/build/build_request.hpp"
#include "builder/build/early_layers.hpp"
#include "builder/cache/step_cache.hpp"
#include "builder/layer/stat_cache.hpp"
#include "builder/report/recorder.hpp"
#include "builder/run/runner.hpp"
#include "builder/run/shared_mounts.hpp"
#include "builder/run/snapshot_store.hpp"
#include "builder/solve/solver.hpp"
#include "builder/solve/step_executor.hpp"
#include "builder/solve/step_lookup.hpp"
#include "builder/steps/add_sources.hpp"
#include "builder/steps/build_clock.hpp"
#include "builder/steps/layer_access.hpp"
#include "registry/store/content_store.hpp"

namespace kiln {

// Everything one build works with, in the order in which it must come to be: the runner's process is forked before the
// first thread.
class Workshop {
 public:
  // The surroundings are borrowed. No secret is told or recorded.
  Workshop(BuildSettings settings, const BuildSurroundings& surroundings, const SecretValues& secrets);
  ~Workshop();

  // For before anything is solved: layers that steps of these targets make are sent while later steps run. Not offline.
  void push_early(std::map<std::string, EarlyTarget> targets);
  // The build has failed for good: what is on its way to registries is given up, and they are not asked any more.
  void abandon_remote() noexcept;
  // Ends the progress display; what is printed afterwards stands below it.
  void end_progress();

  using Stages = std::map<std::size_t, std::shared_ptr<const StageResult>>;
  // Solves the wanted targets of a plan.
  Stages solve(const Plan& plan, const std::set<std::size_t>& wanted, const NeededHere& needed_here);
  struct Foreseen {
    std::map<std::size_t, std::vector<Error>> problems;  // as Solver::look_up()
    std::map<std::string, std::string> would_lock;       // as BaseSource::would_lock()
  };
  // Looks up what solving would ask for, by `steps`.
  Foreseen look_up(const Plan& plan, const std::set<std::size_t>& wanted, StepSolver& steps);
  // No place has the layers of these steps after all: what is solved from now on executes them again. Error{machine}
  // where one was executed for this before.
  void lose(const Blocked& lost);

  const BuildSettings& settings() const noexcept { return settings_; }
  const BuildSurroundings& surroundings() const noexcept { return surroundings_; }
  const HomeLayout& home() const noexcept { return home_; }
  const CancelToken& cancel() const noexcept { return surroundings_.cancel; }
  Runner& runner() noexcept { return *runner_; }
  const BuildClock& clock() const noexcept { return surroundings_.host.clock(); }
  Recorder& recorder() noexcept { return *recorder_; }
  ContentStore& store() noexcept { return *store_; }
  SnapshotStore& snapshots() noexcept { return *snapshots_; }
  LazyRemote& remote() noexcept { return *remote_; }
  CacheSession& caches() noexcept { return *caches_; }
  LayerAccess& layers() noexcept { return *layers_; }
  AskedBases& bases() noexcept { return *bases_; }
  // Bases of its own for who looks at them before the build: nothing is recorded in the lock file.
  std::unique_ptr<BaseSource> open_looking_bases();
  StepLookup& lookup() noexcept { return *lookup_; }
  StepExecutor& steps() noexcept { return *steps_; }
  StatCache& stat_cache() noexcept { return *stat_cache_; }
  RunSteps& runs() noexcept { return *runs_; }
  StepSharing* sharing() noexcept { return sharing_.get(); }  // may be null
  EarlyPush* early_push() noexcept { return early_ ? early_->push() : nullptr; }

 private:
  SolverSettings solver_settings() const;
  BaseTools base_tools(StepSolver& steps) { return {*layers_, *remote_, steps, *recorder_}; }

  BuildSettings settings_;
  const BuildSurroundings& surroundings_;
  CancelToken remote_cancel_;  // a part of the surroundings'
  std::unique_ptr<Runner>
      runner_;  // may be null; before anything that has a thread, and before the home, which it may move
  HomeLayout home_;
  std::unique_ptr<BuildObserver> progress_;
  std::unique_ptr<Recorder> recorder_;
  std::unique_ptr<ContentStore> store_;
  std::unique_ptr<ThreadPool> pool_;
  std::unique_ptr<SnapshotStore> snapshots_;
  std::unique_ptr<LazyRemote> remote_;
  std::unique_ptr<CacheSession> caches_;
  std::unique_ptr<LayerAccess> layers_;
  std::unique_ptr<StepCache> cache_;
  std::unique_ptr<SharedMounts> mounts_;  // may be null
  std::unique_ptr<StepSharing> sharing_;  // may be null
  std::unique_ptr<StepLookup> lookup_;
  std::unique_ptr<StepExecutor> steps_;
  std::unique_ptr<StatCache> stat_cache_;
  std::unique_ptr<AskedBases> bases_;
  std::unique_ptr<SourceFetcher> fetcher_;
  std::unique_ptr<RunSteps> runs_;
  LostSteps lost_;
  std::unique_ptr<EarlyLayers> early_;  // may be null; its threads end before what they use
};

}  // namespace kiln
