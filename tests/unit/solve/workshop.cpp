#include "tests/unit/solve/workshop.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <tuple>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "builder/cache/local_backend.hpp"
#include "builder/cache/step_key.hpp"
#include "builder/layer/layer_writer.hpp"
#include "builder/steps/fetched_source.hpp"

namespace kiln::test {

namespace {

void write_text(const fs::path& path, const std::string& text) {
  make_directories(path.parent_path());
  write_file_atomically(path, text, Durability::ephemeral);
}

FileEntry file_entry(const std::string& path) {
  FileEntry entry;
  entry.path = path;
  entry.mode = 0644;
  return entry;
}

void add_folders(LayerWriter& writer, const std::string& path, std::set<std::string>& made) {
  const std::string folder(parent_path(path));
  if (folder.empty() || !made.insert(folder).second) return;
  add_folders(writer, folder, made);
  FileEntry entry = file_entry(folder);
  entry.type = EntryType::directory;
  entry.mode = 0755;
  writer.add(entry);
}

LayerValue layer_of(LayerAccess& layers, const std::map<std::string, std::string>& files) {
  LayerWriterOptions options;
  options.set_mtime = kReproducibleEpoch;
  LayerWriter writer(layers.store(), layers.pool(), options);
  std::set<std::string> made;
  for (const auto& [path, text] : files) {
    add_folders(writer, path, made);
    writer.add(file_entry(path), text);
  }
  return writer.finish();
}

}  // namespace

void RunCall::write(const std::string& path, const std::string& text) const {
  write_text(request.upper.fs / path, text);
}

std::optional<std::string> RunCall::read(const std::string& path) const {
  if (auto text = read_file_if_exists(request.upper.fs / path)) return text;
  for (auto folder = request.lowers.rbegin(); folder != request.lowers.rend(); ++folder) {
    if (auto text = read_file_if_exists(*folder / path)) return text;
  }
  return std::nullopt;
}

std::optional<std::string> RunCall::read_mount(const std::string& target, const std::string& path) const {
  for (const RunMount& mount : request.mounts) {
    const auto* bind = std::get_if<BindSource>(&mount.source);
    if (mount.target != target || !bind) continue;
    for (auto folder = bind->folders.rbegin(); folder != bind->folders.rend(); ++folder) {
      if (auto text = read_file_if_exists(*folder / bind->path / path)) return text;
    }
  }
  return std::nullopt;
}

RunResult FakeRunner::run(const HomeLayout&, const RunRequest& request, const OutputSink& output,
                          const CancelToken& cancel) {
  const RunCall call{request, cancel, output};
  Action action;
  {
    const std::lock_guard lock(mutex_);
    ran_.push_back(call.command());
    if (const auto it = actions_.find(call.command()); it != actions_.end()) action = it->second;
  }
  RunResult result;
  if (action) {
    result.exit_code = action(call);
  } else {
    std::string name = call.command();
    std::replace(name.begin(), name.end(), '/', '_');
    call.write("ran/" + name, "");
  }
  // No file of a layer tells when it ran.
  for (const auto& entry : fs::recursive_directory_iterator(request.upper.fs)) {
    const timespec times[2] = {{kReproducibleEpoch, 0}, {kReproducibleEpoch, 0}};
    ::utimensat(AT_FDCWD, entry.path().c_str(), times, AT_SYMLINK_NOFOLLOW);
  }
  return result;
}

std::vector<std::string> FakeRunner::take_ran() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> ran = std::exchange(ran_, {});
  std::sort(ran.begin(), ran.end());
  return ran;
}

void FakeBases::add(const std::string& name, Files files, oci::ContainerConfig config) {
  const std::lock_guard lock(mutex_);
  bases_[name] = {std::move(files), std::move(config)};
}

BaseImage FakeBases::image(const std::string& reference, const oci::Platform& platform, Pull) {
  const std::lock_guard lock(mutex_);
  const auto it = bases_.find(reference);
  if (it == bases_.end()) throw Error(Category::network, fmt::format("there is no image '{}'", reference));
  BaseImage base;
  base.reference = reference;
  base.config.platform = platform;
  base.config.config = it->second.config;
  ImageLayer layer;
  layer.value = layer_of(*layers_, it->second.files);
  layer.text = reference;
  layer.is_own = false;
  base.layers.push_back(std::move(layer));
  return base;
}

BaseImage FakeBases::layout(const LayoutBase& layout, const oci::Platform& platform) {
  return image(layout.folder.native(), platform, Pull::where_needed);
}

OrBlocked<BaseImage> FakeBases::debian(const DebianRequest& request, const oci::Platform& platform,
                                       const std::string& target) {
  Step step;
  step.kind = StepKind::debian;
  step.key = StepKeyBuilder("debian").text("lock", debian_lock).finish();
  step.inputs = {{"epoch", debian_lock}};
  step.view.target = target;
  step.view.platform = platform.str();
  step.view.text = "DEBIAN " + request.suite;
  step.slot = "debian " + request.lock_name;
  step.execute = [&](int) {
    return std::vector<LayerValue>{layer_of(*layers_, {{"etc/debian_version", debian_lock}})};
  };
  const OrBlocked<StepDone> done = steps_->solve(step);
  if (done.is_blocked()) return done.blocked();
  BaseImage base;
  base.reference = request.lock_name;
  base.config.platform = platform;
  ImageLayer layer;
  layer.value = done.value().record.layers.at(0);
  layer.key = step.key;
  layer.text = step.view.text;
  base.layers.push_back(std::move(layer));
  return base;
}

std::shared_ptr<CopySource> FakeFetcher::fetch(const std::string& url, const std::string&, const SourceSecrets&) {
  const auto it = texts.find(url);
  if (it == texts.end()) throw Error(Category::network, fmt::format("'{}' answers 404", url));
  return std::make_shared<InlineSource>(std::map<std::string, std::string>{{file_name_of_url(url), it->second}}, 0600,
                                        url);
}

std::shared_ptr<CopySource> FakeFetcher::check_out(const GitReference& reference, const GitCheckout&) {
  const auto it = texts.find(reference.remote);
  if (it == texts.end()) throw Error(Category::network, fmt::format("there is no repository '{}'", reference.remote));
  return std::make_shared<InlineSource>(std::map<std::string, std::string>{{"README", it->second}}, 0644,
                                        reference.remote);
}

void HeardBuild::warn(std::string_view message) {
  const std::lock_guard lock(mutex_);
  warnings_.emplace_back(message);
}

void HeardBuild::step_started(const StepView& step) {
  const std::lock_guard lock(mutex_);
  started_[step.number] = step;
}

void HeardBuild::step_output(int, std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  output_ += bytes;
}

void HeardBuild::step_finished(int number, const StepResult& result) {
  const std::lock_guard lock(mutex_);
  finished_.push_back({started_.at(number), result});
}

std::vector<HeardBuild::Heard> HeardBuild::steps() const {
  const std::lock_guard lock(mutex_);
  std::vector<Heard> sorted = finished_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Heard& a, const Heard& b) {
    return std::tie(a.view.target, a.view.platform, a.view.stage, a.view.index) <
           std::tie(b.view.target, b.view.platform, b.view.stage, b.view.index);
  });
  return sorted;
}

std::vector<std::string> HeardBuild::warnings() const {
  const std::lock_guard lock(mutex_);
  return warnings_;
}

std::string HeardBuild::output() const {
  const std::lock_guard lock(mutex_);
  return output_;
}

// Everything that one build takes and that ends with it.
struct Workshop::Session {
  Session(Workshop& shop, HeardBuild& heard)
      : remote([]() -> std::unique_ptr<RemoteSession> { throw Error(Category::network, "a workshop has no network"); }),
        shared(shop.is_shared_ ? open_shared(shop, heard) : nullptr),
        layers({shop.machine_->store, shop.machine_->snapshots, remote, shared.get()}, shop.machine_->pool,
               shop.cancel),
        lookup(shop.machine_->cache, shared.get(), heard),
        executor(lookup, nullptr, heard, shop.clock, shop.cancel),
        run_steps(layers, shop.runner, heard, shop.runs) {
    settings.evaluation = shop.evaluation;
    settings.evaluation.stop = shop.stop = CancelToken();
  }

  static std::unique_ptr<SharedCache> open_shared(Workshop& shop, HeardBuild& heard) {
    std::vector<CachePlace> places;
    places.push_back({std::make_unique<LocalBackend>(shop.shared_folder()), true, true, CacheMode::max, true});
    return std::make_unique<SharedCache>(std::move(places), EntrySignatures(), heard);
  }

  StageTools tools(Workshop& shop, StepSolver& steps, HeardBuild& heard) {
    shop.bases.use(layers, steps);
    return {layers, shop.bases, shop.fetcher, run_steps, steps, heard};
  }

  LazyRemote remote;
  std::unique_ptr<SharedCache> shared;
  LayerAccess layers;
  StepLookup lookup;
  StepExecutor executor;
  RunSteps run_steps;
  SolverSettings settings;
};

Workshop::Workshop() {
  make_directories(context_folder());
  use_machine("one");
  bases.add("base", {{"etc/passwd", "root:x:0:0:root:/root:/bin/sh\napp:x:7:8::/home/app:/bin/sh\n"},
                     {"etc/group", "root:x:0:\napp:x:8:\n"},
                     {"base", "file of the base"}});
  evaluation.times.epoch = kReproducibleEpoch;
}

Workshop::~Workshop() = default;

TargetSpec& Workshop::dockerfile(const std::string& text) { return target("", text); }

TargetSpec& Workshop::target(const std::string& name, const std::string& text) {
  const auto known =
      std::find_if(targets_.begin(), targets_.end(), [&](const auto& other) { return other.name == name; });
  TargetSpec& target = known == targets_.end() ? targets_.emplace_back() : *known;
  target.name = name;
  target.image = name;
  target.dockerfile_text = text;
  target.dockerfile_name = name.empty() ? "Dockerfile" : name + "/Dockerfile";
  target.context = context_folder();
  return target;
}

void Workshop::context(const std::string& path, const std::string& text) { write_text(context_folder() / path, text); }

void Workshop::use_machine(const std::string& name) {
  auto& machine = machines_[name];
  if (!machine) machine = std::make_unique<Machine>(top_.path() / "machines" / name);
  machine_ = machine.get();
}

Plan Workshop::plan() const {
  FleetNames names;
  names.registry_and_namespace = "ghcr.io/acme";
  return make_plan(targets_, names);
}

std::set<std::size_t> Workshop::numbers(const Plan& plan, const std::vector<std::string>& targets) const {
  std::set<std::size_t> numbers;
  for (std::size_t i = 0; i < plan.targets.size(); ++i) {
    const std::string& name = plan.targets[i]->target.name;
    if (targets.empty() || std::find(targets.begin(), targets.end(), name) != targets.end()) numbers.insert(i);
  }
  return numbers;
}

Steps Workshop::build(const std::vector<std::string>& targets) {
  heard_ = std::make_unique<HeardBuild>();
  results_.clear();
  const Plan planned = plan();
  Session session(*this, *heard_);
  const StageTools tools = session.tools(*this, session.executor, *heard_);
  const auto here = [this](std::size_t, const ImageLayer&) { return needed_here; };
  for (const auto& [number, result] : Solver(planned, tools, session.settings).solve(numbers(planned, targets), here)) {
    results_[planned.targets[number]->target.name] = result;
  }
  records_ = session.executor.records();
  return steps();
}

Error Workshop::fail(const std::vector<std::string>& targets) {
  try {
    build(targets);
  } catch (const Error& error) {
    return error;
  }
  FAIL("the build did not fail");
  return Error(Category::build, "");
}

Steps Workshop::foresee(const std::vector<std::string>& targets) {
  heard_ = std::make_unique<HeardBuild>();
  const Plan planned = plan();
  Session session(*this, *heard_);
  session.settings.evaluation.unpacks_ahead = false;
  StepForecast forecast(session.lookup);
  const StageTools tools = session.tools(*this, forecast, *heard_);
  problems.clear();
  for (const auto& [number, problem] : Solver(planned, tools, session.settings).look_up(numbers(planned, targets)))
    problems[planned.targets[number]->target.name] = problem;
  std::vector<ForeseenAnswer> answers = forecast.answers();
  std::stable_sort(answers.begin(), answers.end(), [](const ForeseenAnswer& a, const ForeseenAnswer& b) {
    return std::tie(a.view.target, a.view.stage, a.view.index) < std::tie(b.view.target, b.view.stage, b.view.index);
  });
  Steps steps;
  for (const ForeseenAnswer& answer : answers) steps.push_back((answer.is_hit ? "hit " : "miss ") + answer.view.text);
  return steps;
}

void Workshop::share(Layers layers) {
  is_shared_ = true;
  HeardBuild heard;
  const auto shared = Session::open_shared(*this, heard);
  std::vector<NewCacheEntry> entries;
  std::set<oci::Digest> in_images;
  for (const auto& [target, result] : results_) {
    for (const ImageLayer& layer : result->layers) in_images.insert(layer.value.blobs.front().descriptor.digest);
  }
  for (const auto& [key, record] : records_) {
    const bool of_images = layers == Layers::of_images;
    NewCacheEntry entry =
        new_step_entry(record, [&](const oci::Digest& blob) { return of_images && in_images.count(blob) > 0; });
    if (layers != Layers::all) entry.with_max.clear();
    entries.push_back(std::move(entry));
  }
  shared->put(std::move(entries), machine_->store);
}

Steps Workshop::steps() const {
  Steps steps;
  for (const HeardBuild::Heard& heard : heard_->steps())
    steps.push_back(fmt::format("{} {}", to_string(heard.result.outcome), heard.view.text));
  return steps;
}

std::string Workshop::reason_of(const std::string& text) const {
  std::string reason = "no such step";
  for (const HeardBuild::Heard& heard : heard_->steps()) {
    if (heard.view.text == text) reason = heard.result.reason;
  }
  return reason;
}

std::string Workshop::key_of(const std::string& text) const {
  for (const auto& [key, record] : records_) {
    if (record.text == text) return key;
  }
  return "";
}

std::optional<std::string> Workshop::file(const std::string& path, const std::string& target) {
  HeardBuild heard;
  Session session(*this, heard);
  const StageResult& built = result(target);
  const MergedView view = still_there(session.layers.view(built.layers));
  const ImageSource source(session.layers, built.layers, view, "the image", "");
  const auto entry = source.lookup(path);
  if (!entry || entry->type != EntryType::file) return std::nullopt;
  const auto bytes = source.open(path);
  std::string text(entry->size, '\0');
  text.resize(bytes->read(text.data(), text.size()));
  return text;
}

}  // namespace kiln::test
