#include "builder/cli/build_session.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <exception>

#include "base/process.hpp"
#include "base/text.hpp"
#include "builder/cli/print_report.hpp"
#include "builder/cli/progress/progress.hpp"
#include "builder/cli/transfer_tasks.hpp"
#include "builder/cli/version.hpp"
#include "builder/report/gate.hpp"
#include "builder/report/image_sums.hpp"
#include "builder/report/report_store.hpp"
#include "registry/remote/pull.hpp"

namespace kiln::cli {

namespace {

// Twice what the kernel leaves written pages in memory for by itself (vm.dirty_expire_centisecs).
constexpr std::chrono::seconds kSettled{60};

// Stages mostly wait for containers and disks, so there may be more of them at work than cores.
std::size_t parallel_stages() { return std::max<std::size_t>(4, std::thread::hardware_concurrency() * 2); }

std::unique_ptr<BuildObserver> open_progress(const SessionSettings& settings) {
  ProgressOptions options;
  options.mode =
      settings.quiet ? ProgressMode::quiet : parse_progress_mode(settings.progress, std::getenv("BUILDKIT_PROGRESS"));
  options.colour = environment_variable("NO_COLOR").value_or("").empty() ? Colour::yes : Colour::no;
  return make_progress(options);
}

RecordedImage recorded_image(const BuiltImage& built) {
  RecordedImage recorded;
  recorded.name = built.target->image;
  recorded.profile = built.target->profile ? built.target->profile->name : "";
  recorded.digest = built.image.manifest.digest;
  recorded.limit_bytes = built.target->size_limit_bytes;
  for (const ImageLayer& layer : built.image.layers) {
    ReportLayer line;
    line.digest = layer.value.blobs.front().descriptor.digest;
    line.diff_id = layer.value.diff_id;
    line.bytes = layer.value.blobs.front().descriptor.size;
    line.unpacked_bytes = layer.value.uncompressed_size;
    line.file = layer.file;
    line.line = layer.line;
    line.text = layer.text;
    recorded.layers.push_back(std::move(line));
  }
  return recorded;
}

}  // namespace

std::optional<UnixSeconds> source_date_epoch(const std::map<std::string, std::string>& build_args) {
  const auto arg = build_args.find("SOURCE_DATE_EPOCH");
  const std::string text =
      arg != build_args.end() ? arg->second : environment_variable("SOURCE_DATE_EPOCH").value_or("");
  if (text.empty()) return std::nullopt;
  const auto seconds = parse_unsigned(text);
  if (!seconds)
    throw Error(Category::usage, fmt::format("SOURCE_DATE_EPOCH '{}' is not a number of seconds", printable(text)));
  return static_cast<UnixSeconds>(*seconds);
}

void apply_offline(SessionSettings& settings) {
  settings.bases.offline = settings.offline;
  if (!settings.offline) return;
  if (settings.bases.pull) throw Error(Category::usage, "--offline and --pull exclude one another");
  const auto is_elsewhere = [](const CacheReference& place) { return place.type != CacheType::local; };
  std::erase_if(settings.caches.from, is_elsewhere);
  std::erase_if(settings.caches.to, is_elsewhere);
}

BuildSession::BuildSession(SessionSettings settings, CancelToken cancel)
    : settings_(std::move(settings)),
      cancel_(std::move(cancel)),
      remote_cancel_(cancel_.child()),
      began_(monotonic_seconds()),
      runner_(Runner::start(WithoutRoot::enter_user_namespace)),
      home_(HomeLayout::open(HomeLayout::default_root())) {
  progress_ = open_progress(settings_);
  recorder_ = std::make_unique<Recorder>(progress_.get());
  store_ = std::make_unique<ContentStore>(home_);
  pool_ = std::make_unique<ThreadPool>();
  snapshots_ = std::make_unique<SnapshotStore>(*store_, *pool_);
  remote_ = std::make_unique<LazyRemote>([this] {
    if (settings_.offline)
      throw Error(Category::network, "--offline: the store does not have it, and nothing is fetched");
    return RemoteSession::open(RemoteSettings::from_environment(), *recorder_, remote_cancel_);
  });
  caches_ = std::make_unique<CacheSession>(settings_.caches, *recorder_, cancel_);
  layers_ = std::make_unique<LayerAccess>(*store_, *pool_, *snapshots_, *remote_, caches_->cache(), cancel_);
  cache_ = std::make_unique<StepCache>(*store_);
  if (caches_->cache() && settings_.caches.share_mounts) {
    mounts_ = std::make_unique<SharedMounts>(home_, *caches_->cache(), *pool_, *recorder_, cancel_);
  }
  sharing_ = caches_->open_sharing(*store_, cancel_);
  steps_ = std::make_unique<StepExecutor>(*cache_, caches_->cache(), sharing_.get(), *recorder_, cancel_);
  stat_cache_ = std::make_unique<StatCache>(home_.stat_cache(), home_.locks() / "stat-cache");
  bases_ = std::make_unique<BaseImages>(*layers_, *remote_, *steps_, *recorder_, settings_.bases);
  runs_ = std::make_unique<RunSteps>(*layers_, *runner_, *recorder_, settings_.runs, parallel_stages(), mounts_.get());
}

BuildSession::~BuildSession() {
  abandon_remote();
  early_.reset();
  // A session that ends well without a report measured something (a baseline): nobody asks why of that.
  if (record_kept_ || log_.empty() || std::uncaught_exceptions() == 0) return;
  try {
    keep_record(true);
  } catch (const std::exception& error) {
    recorder_->warn(fmt::format("'kiln why' will not know this build: {}", error.what()));
  }
}

void BuildSession::push_early(std::map<std::string, EarlyTarget> targets) {
  if (settings_.offline || targets.empty()) return;
  const CacheWriting writing = sharing_ ? CacheWriting::by_each_step : CacheWriting::at_the_end;
  early_ = std::make_unique<EarlyLayers>(std::move(targets), *remote_, *store_, caches_->cache(), writing, *recorder_,
                                         [this] { return steps_->next_number(); });
  steps_->tell_layers_made(
      [this](const StepRequest& request, const std::vector<LayerValue>& layers) { early_->made(request, layers); });
}

void BuildSession::abandon_remote() noexcept { remote_cancel_.cancel(SIGTERM); }

void BuildSession::keep_record(bool failed) {
  const BuildRecord record = log_.record(recorder_->heard_steps(), {monotonic_seconds() - began_, failed, kVersion});
  BuildRecordStore(home_.builds()).save(record);
  record_kept_ = true;
}

void BuildSession::end_progress() {
  recorder_->stop_forwarding();
  progress_.reset();
}

std::vector<BuiltImage> BuildSession::build(const Plan& plan, const std::vector<std::size_t>& wanted,
                                            const std::function<AssemblyOptions(const BuildTarget&)>& options) {
  return assemble(plan, wanted, solve(plan, wanted), options);
}

void BuildSession::with_lost_steps_redone(const std::function<void()>& work) {
  std::set<std::string> redone;
  for (;;) {
    try {
      return work();
    } catch (const Error& error) {
      const std::set<std::string> lost = layers_->take_lost();
      const bool is_new =
          std::any_of(lost.begin(), lost.end(), [&](const std::string& key) { return redone.insert(key).second; });
      if (error.category() == Category::cancelled || !is_new) throw;
      const auto records = steps_->records();
      for (const std::string& key : lost) {
        const auto record = records.find(key);
        recorder_->warn(fmt::format("no cache has the layer of '{}' any more; the step is executed again",
                                    record == records.end() ? key : record->second.text));
      }
      steps_->execute_anew(lost);
      recorder_->begin_again();
    }
  }
}

BuildSession::Stages BuildSession::solve(const Plan& plan, const std::vector<std::size_t>& wanted) {
  caches_->expect(plan, wanted);
  for (const std::string& note : plan.notes) recorder_->warn(note);
  EvaluatorSettings evaluation;
  evaluation.times = settings_.times;
  evaluation.use_cache = settings_.bases.use_cache;
  evaluation.security = settings_.security;
  evaluation.exports_images = settings_.exports_images;
  log_.add_targets(plan, plan.closure({wanted.begin(), wanted.end()}));
  Solver solver(plan, *layers_, *bases_, *steps_, *runs_, *recorder_, evaluation,
                {settings_.context_modes, stat_cache_.get()}, parallel_stages());
  Stages results = solver.solve({wanted.begin(), wanted.end()});
  // What is pushed next is mounted from the cache, not sent a second time.
  if (sharing_) sharing_->finish();
  stat_cache_->flush();
  snapshots_->mark_settled(kSettled);
  return results;
}

std::vector<BuiltImage> BuildSession::assemble(const Plan& plan, const std::vector<std::size_t>& wanted,
                                               const Stages& results,
                                               const std::function<AssemblyOptions(const BuildTarget&)>& options) {
  std::vector<BuiltImage> images;
  for (const std::size_t number : wanted) {
    const StageResult& stage = *results.at(number);
    const BuildTarget& target = plan.targets[number]->target;
    images.push_back({&target, assemble_image(*layers_, stage.config.image, stage.layers, options(target), stage.base),
                      std::nullopt});
  }
  store_->sync();
  return images;
}

void BuildSession::name_in_store(const std::vector<BuiltImage>& images,
                                 const std::vector<std::vector<std::string>>& names, AbsentLayers absent_layers) {
  std::vector<NamedImage> named;
  for (std::size_t i = 0; i < images.size(); ++i) {
    if (names[i].empty()) continue;
    const oci::Descriptor& root = images[i].root();
    if (absent_layers == AbsentLayers::fetch) {
      for (const ImageLayer& layer : images[i].image.layers) layers_->local_blob(layer);
    } else if (!store_->missing(root).empty()) {
      continue;
    }
    for (const std::string& name : names[i]) named.push_back({oci::Reference::parse(name).str(), root});
  }
  store_->publish(named);
}

void BuildSession::push(const std::vector<BuiltImage>& images, const std::vector<std::vector<std::string>>& names) {
  std::vector<PushRequest> requests;
  BlobSources sources;
  std::vector<std::pair<oci::Digest, RemoteRepository>> places;
  std::map<oci::Digest, const ImageLayer*> by_blob;
  for (std::size_t i = 0; i < images.size(); ++i) {
    for (const ImageLayer& layer : images[i].image.layers) {
      const oci::Descriptor& blob = layer.value.blobs.front().descriptor;
      if (layer.remote) places.emplace_back(blob.digest, *layer.remote);
      const auto cached = caches_->cache() ? caches_->cache()->repository_of(blob.digest) : std::nullopt;
      if (cached) places.emplace_back(blob.digest, *cached);
      by_blob.emplace(blob.digest, &layer);
    }
    if (names[i].empty()) continue;
    PushRequest request;
    request.root = images[i].root();
    for (const std::string& name : names[i]) request.targets.push_back(oci::Reference::parse(name));
    requests.push_back(std::move(request));
  }
  for (const auto& [blob, place] : places) sources.emplace(blob, place.name());
  if (settings_.offline) return remember_all(requests, sources);
  RemoteSession& remote = remote_->get();
  for (const auto& [blob, place] : places) remote.locations().add(blob, place);
  PushOptions options;
  options.early = early_ ? early_->push() : nullptr;
  options.fetch = [&](const oci::Descriptor& blob) {
    const auto layer = by_blob.find(blob.digest);
    return layer != by_blob.end() && layers_->fetch_for_push(*layer->second, blob);
  };
  options.origin = [&](const oci::Digest& blob) {
    const auto layer = by_blob.find(blob);
    if (layer == by_blob.end() || layer->second->line == 0) return std::string();
    return fmt::format("{}:{}", layer->second->file, layer->second->line);
  };
  TransferTasks tasks(*recorder_, [this] { return steps_->next_number(); });
  const auto outcomes = push_images(remote, *store_, requests, options, &tasks);
  if (const std::size_t remembered = remember_outcomes(*store_, requests, outcomes, sources))
    recorder_->warn(remembered_note(remembered));
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (!outcomes[i].error) continue;
    Error error = *outcomes[i].error;
    throw error.add_context(fmt::format("while pushing '{}'", requests[i].targets.front().str()));
  }
}

void BuildSession::remember_all(const std::vector<PushRequest>& requests, const BlobSources& sources) {
  std::vector<PendingPush> pushes;
  for (const PushRequest& request : requests) {
    for (const oci::Reference& target : request.targets)
      pushes.push_back(remembered_push(*store_, request.root, target, sources, "--offline"));
  }
  PendingPushes(store_->home()).update({}, pushes);
  recorder_->warn("--offline: " + remembered_note(pushes.size()));
}

void BuildSession::write_caches(const Plan& plan, const std::vector<std::size_t>& wanted,
                                const std::vector<BuiltImage>& images,
                                const std::vector<std::vector<std::string>>& names) {
  if (!caches_->cache() || !caches_->cache()->is_written()) return;
  std::vector<CachedImage> cached;
  for (std::size_t i = 0; i < images.size(); ++i) {
    CachedImage image;
    image.blobs = images[i].image.parsed.layers;
    for (const std::string& name : i < names.size() && !settings_.offline ? names[i] : std::vector<std::string>()) {
      const RemoteRepository place = remote_->get().repository_of(oci::Reference::parse(name));
      if (std::find(image.pushed_to.begin(), image.pushed_to.end(), place) == image.pushed_to.end())
        image.pushed_to.push_back(place);
    }
    cached.push_back(std::move(image));
  }
  runs_->share_mounts();
  caches_->write(plan, wanted, *steps_, *layers_, *store_, cached);
  caches_->cache()->finish();
}

void BuildSession::check_sizes(const std::vector<BuiltImage>& images) const {
  BuildReport sizes;
  std::vector<RecordedImage> recorded;
  for (const BuiltImage& built : images) recorded.push_back(recorded_image(built));
  sizes.images = images_with_sums(recorded);
  refuse_failed_gates(failed_gates(sizes, {}));
}

BuildReport BuildSession::finish_report(const ReportTargets& targets, const std::vector<BuiltImage>& images,
                                        const std::map<std::string, Baseline>& baselines,
                                        const std::optional<std::string>& report_file) {
  for (const BuiltImage& built : images) {
    RecordedImage recorded = recorded_image(built);
    if (const auto it = baselines.find(built.target->image); it != baselines.end()) recorded.baseline = it->second;
    log_.set_digest(*built.target, recorded.digest);
    recorder_->add_image(std::move(recorded));
  }
  if (const RemoteSession* remote = remote_->opened()) {
    const WireStats& stats = remote->stats();
    recorder_->add_wire({stats.pushed_bytes, stats.pulled_bytes, stats.mounted_bytes});
  }
  recorder_->add_wire(caches_->wire());
  recorder_->add_fetched(caches_->fetched());
  const BuildReport report = recorder_->report({now_unix_seconds(), monotonic_seconds() - began_, kVersion, targets});
  ReportStore(home_.reports(), home_.locks() / "reports").save(report);
  keep_record(false);
  if (report_file) write_report(*report_file, report);
  return report;
}

}  // namespace kiln::cli
