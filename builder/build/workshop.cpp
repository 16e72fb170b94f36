#include "builder/build/workshop.hpp"

#include <signal.h>

#include <algorithm>
#include <thread>

namespace kiln {

namespace {

// Stages mostly wait for containers and disks, so there may be more of them at work than cores.
std::size_t parallel_stages() { return std::max<std::size_t>(4, std::thread::hardware_concurrency() * 2); }

}  // namespace

Workshop::Workshop(BuildSettings settings, const BuildSurroundings& surroundings, const SecretValues& secrets)
    : settings_(std::move(settings)),
      surroundings_(surroundings),
      remote_cancel_(surroundings.cancel.child()),
      runner_(surroundings.host.start_runner()),
      home_(surroundings.host.open_home()),
      progress_(surroundings.open_progress()) {
  recorder_ =
      std::make_unique<Recorder>(progress_.get(), [secrets](std::string_view text) { return secrets.masked(text); });
  store_ = std::make_unique<ContentStore>(home_);
  pool_ = std::make_unique<ThreadPool>();
  snapshots_ =
      std::make_unique<SnapshotStore>(*store_, *pool_, [this](const std::string& text) { recorder_->warn(text); });
  remote_ = std::make_unique<LazyRemote>([this] {
    if (settings_.offline)
      throw Error(Category::network, "--offline: the store does not have it, and nothing is fetched");
    return surroundings_.host.open_remote(*recorder_, remote_cancel_);
  });
  caches_ = std::make_unique<CacheSession>(settings_.caches, *recorder_, cancel());
  layers_ =
      std::make_unique<LayerAccess>(LayerPlaces{*store_, *snapshots_, *remote_, caches_->cache()}, *pool_, cancel());
  cache_ = std::make_unique<StepCache>(*store_);
  if (caches_->cache() && settings_.caches.share_mounts) {
    mounts_ =
        std::make_unique<SharedMounts>(home_, *caches_->cache(), SharedMounts::Tools{*pool_, *recorder_, cancel()});
  }
  sharing_ = caches_->open_sharing(*store_, cancel());
  lookup_ = std::make_unique<StepLookup>(*cache_, caches_->cache(), *recorder_, secrets);
  steps_ = std::make_unique<StepExecutor>(*lookup_, sharing_.get(), *recorder_, clock(), cancel());
  stat_cache_ = std::make_unique<StatCache>(home_.stat_cache(), home_.locks() / "stat-cache");
  bases_ = std::make_unique<AskedBases>(surroundings.host.open_bases(base_tools(*steps_), settings_.bases));
  fetcher_ = surroundings.host.open_fetcher(*layers_);
  settings_.runs.parallel = parallel_stages();
  settings_.runs.masked = [secrets](std::string_view text) { return secrets.masked(text); };
  runs_ = std::make_unique<RunSteps>(*layers_, surroundings.host.container_runner(runner_.get()), *recorder_,
                                     settings_.runs, mounts_.get());
}

std::unique_ptr<BaseSource> Workshop::open_looking_bases() {
  BaseSettings settings = settings_.bases;
  if (settings.lock_policy == LockPolicy::use) settings.lock_policy = LockPolicy::look;
  return surroundings_.host.open_bases(base_tools(*steps_), settings);
}

Workshop::~Workshop() {
  abandon_remote();
  early_.reset();
}

void Workshop::push_early(std::map<std::string, EarlyTarget> targets) {
  if (settings_.offline || targets.empty()) return;
  std::vector<std::string> names;
  for (const auto& [name, target] : targets) names.push_back(target.name);
  layers_->known_layers().expect_pushes(std::move(names));
  const CacheWriting writing = sharing_ ? CacheWriting::by_each_step : CacheWriting::at_the_end;
  const EarlyMeans means{*remote_, *store_, caches_->cache(), writing};
  early_ = std::make_unique<EarlyLayers>(std::move(targets), means, *recorder_);
  steps_->tell_layers_made(
      [this](const Step& step, const std::vector<LayerValue>& layers) { early_->made(step, layers); });
}

void Workshop::abandon_remote() noexcept { remote_cancel_.cancel(SIGTERM); }

void Workshop::end_progress() {
  recorder_->stop_forwarding();
  progress_.reset();
}

SolverSettings Workshop::solver_settings() const {
  SolverSettings settings;
  settings.evaluation.times = settings_.times;
  settings.evaluation.use_cache = settings_.bases.use_cache;
  settings.evaluation.security = settings_.security;
  settings.evaluation.stop = layers_->cancel().child();
  settings.contexts = {settings_.context_modes, stat_cache_.get()};
  settings.parallel = parallel_stages();
  return settings;
}

Workshop::Stages Workshop::solve(const Plan& plan, const std::set<std::size_t>& wanted, const NeededHere& needed_here) {
  const StageTools tools{*layers_, *bases_, *fetcher_, *runs_, *steps_, *recorder_};
  return Solver(plan, tools, solver_settings()).solve(wanted, needed_here);
}

void Workshop::lose(const Blocked& lost) {
  lost_.add(lost, *recorder_);
  steps_->lose(lost);
  bases_->lose(lost);
}

Workshop::Foreseen Workshop::look_up(const Plan& plan, const std::set<std::size_t>& wanted, StepSolver& steps) {
  const auto bases = surroundings_.host.open_bases(base_tools(steps), settings_.bases);
  SolverSettings settings = solver_settings();
  settings.evaluation.unpacks_ahead = false;
  const StageTools tools{*layers_, *bases, *fetcher_, *runs_, steps, *recorder_};
  Foreseen foreseen;
  foreseen.problems = Solver(plan, tools, settings).look_up(wanted);
  foreseen.would_lock = bases->would_lock();
  return foreseen;
}

}  // namespace kiln
