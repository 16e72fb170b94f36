#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/cancel.hpp"
#include "base/clock.hpp"
#include "base/thread_pool.hpp"
#include "builder/cache/step_cache.hpp"
#include "builder/cli/build_log.hpp"
#include "builder/cli/cache_session.hpp"
#include "builder/cli/early_layers.hpp"
#include "builder/cli/remembered_push.hpp"
#include "builder/layer/stat_cache.hpp"
#include "builder/plan/forecast.hpp"
#include "builder/report/recorder.hpp"
#include "builder/run/runner.hpp"
#include "builder/run/snapshot_store.hpp"
#include "builder/solve/base_images.hpp"
#include "builder/solve/image_assembly.hpp"
#include "builder/solve/image_layers.hpp"
#include "builder/solve/output.hpp"
#include "builder/solve/run_step.hpp"
#include "builder/solve/solver.hpp"
#include "builder/solve/step_executor.hpp"
#include "registry/remote/push.hpp"
#include "registry/store/content_store.hpp"

namespace kiln::cli {

// What build, bake and baseline have in common of their flags.
struct SessionSettings {
  std::optional<std::string> progress;  // --progress
  bool quiet = false;
  RunSettings runs;
  BaseSettings bases;
  TimePolicy times;
  RunSecurity security = RunSecurity::sandbox;
  bool exports_images = false;  // see EvaluatorSettings
  ContextModes context_modes = ContextModes::as_on_disk;
  CacheSettings caches;
  bool offline = false;  // --offline: nothing is asked for at registries and servers; pushes are remembered
};

// Fits the settings to `offline`: caches that are elsewhere are left out. Error{usage} for --pull beside it.
void apply_offline(SessionSettings& settings);

// SOURCE_DATE_EPOCH of the environment, or of a build arg, which wins; Error{usage} where it is no number.
std::optional<UnixSeconds> source_date_epoch(const std::map<std::string, std::string>& build_args);

// A target that was built, as an image in the store.
struct BuiltImage {
  const BuildTarget* target = nullptr;
  AssembledImage image;
  std::optional<oci::Descriptor>
      index;  // what is published in its place: an index with its siblings of other platforms
  const oci::Descriptor& root() const { return index ? *index : image.manifest; }
};

// Everything one building command works with, in the order in which it must come to be: the runner's process is forked
// before the first thread.
class BuildSession {
 public:
  BuildSession(SessionSettings settings, CancelToken cancel);
  ~BuildSession();

  // For before anything is solved: layers that steps of these targets make are sent while later steps run. Not offline.
  void push_early(std::map<std::string, EarlyTarget> targets);
  // The build has failed for good: what is on its way to registries is given up, and they are not asked any more.
  void abandon_remote() noexcept;

  // Solves the wanted targets of a plan and writes their configs and manifests; in the order of `wanted`.
  std::vector<BuiltImage> build(const Plan& plan, const std::vector<std::size_t>& wanted,
                                const std::function<AssemblyOptions(const BuildTarget&)>& options);

  // The first RUN whose command failed, once; for settings.runs.keep_failed.
  std::unique_ptr<FailedRun> take_failed_run() { return runs_->take_failed(); }

  // The two halves of it, for several outputs of one build.
  using Stages = std::map<std::size_t, std::shared_ptr<const StageResult>>;
  Stages solve(const Plan& plan, const std::vector<std::size_t>& wanted);
  std::vector<BuiltImage> assemble(const Plan& plan, const std::vector<std::size_t>& wanted, const Stages& results,
                                   const std::function<AssemblyOptions(const BuildTarget&)>& options);

  // What a build would do, as far as the caches tell; nothing is executed, named or recorded. The
  // session is of no other use afterwards.
  Forecast look_up(const Plan& plan, const std::set<std::size_t>& wanted);

  // Does work with a build's layers, from solving to pushing. Where a cache promised a layer that no place has, the
  // step that makes it is executed anew and the work done once more.
  void with_lost_steps_redone(const std::function<void()>& work);

  // Error{build} where an image is larger than its definition's limits.size, naming its largest layer's line. For
  // before anything is named or pushed.
  void check_sizes(const std::vector<BuiltImage>& images) const;
  // Names images in the store, all in one write.
  enum class AbsentLayers {
    fetch,          // layers that are elsewhere come here first
    leave_unnamed,  // an image with such layers gets no name: it was pushed, and nothing here needs it
  };
  void name_in_store(const std::vector<BuiltImage>& images, const std::vector<std::vector<std::string>>& names,
                     AbsentLayers absent_layers);
  // Pushes images, shown as tasks. Throws the first error after all were tried; what failed is remembered in the home.
  // Offline all is remembered and nothing sent.
  void push(const std::vector<BuiltImage>& images, const std::vector<std::vector<std::string>>& names);

  // The report of all that was done, saved as this home's last one; the build's record is saved with it. A session that
  // an error ends leaves the record of a build that failed. Writes what the build used to the shared cache, after the
  // images were pushed under `names` (none: they were not), so that their blobs can be mounted. Error{network} where
  // that fails and its failing is not to be ignored.
  void write_caches(const Plan& plan, const std::vector<std::size_t>& wanted, const std::vector<BuiltImage>& images,
                    const std::vector<std::vector<std::string>>& names);

  BuildReport finish_report(const ReportTargets& targets, const std::vector<BuiltImage>& images,
                            const std::map<std::string, Baseline>& baselines,
                            const std::optional<std::string>& report_file);

  LayerAccess& layers() noexcept { return *layers_; }
  ContentStore& store() noexcept { return *store_; }
  BuildObserver& observer() noexcept { return *recorder_; }
  LazyRemote& remote() noexcept { return *remote_; }
  Runner& runner() noexcept { return *runner_; }
  const HomeLayout& home() const noexcept { return home_; }
  const CancelToken& cancel() const noexcept { return cancel_; }
  // Ends the progress display; what is printed afterwards stands below it.
  void end_progress();

 private:
  void keep_record(bool failed);
  void remember_all(const std::vector<PushRequest>& requests, const BlobSources& sources);

  SessionSettings settings_;
  CancelToken cancel_;
  CancelToken remote_cancel_;  // a part of cancel_
  double began_;
  std::unique_ptr<Runner> runner_;  // before anything that has a thread, and before the home, which it may move
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
  std::unique_ptr<StepExecutor> steps_;
  std::unique_ptr<StatCache> stat_cache_;
  std::unique_ptr<BaseImages> bases_;
  std::unique_ptr<RunSteps> runs_;
  std::unique_ptr<EarlyLayers> early_;  // may be null; its threads end before what they use
  BuildLog log_;
  bool record_kept_ = false;
};

}  // namespace kiln::cli
