#include "tests/unit/solve/workshop.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/error.hpp"
#include "builder/cache/layer_entry.hpp"
#include "builder/cache/local_backend.hpp"
#include "builder/steps/image_source.hpp"
#include "tests/support/check_error.hpp"

namespace kiln::test {

// Everything that one build takes and that ends with it.
struct Workshop::Session {
  Session(Workshop& shop, HeardBuild& heard, const Plan& plan)
      : remote([]() -> std::unique_ptr<RemoteSession> { throw Error(Category::network, "a workshop has no network"); }),
        shared(shop.is_shared_ ? open_shared(shop, heard) : nullptr),
        layers({shop.machine_->store, shop.machine_->snapshots, remote, shared.get()}, shop.machine_->pool,
               shop.cancel),
        lookup(shop.machine_->cache, shared.get(), heard, plan.secrets),
        executor(lookup, nullptr, heard, shop.clock, shop.cancel),
        run_steps(layers, shop.runner, heard, shop.runs) {
    settings.evaluation = shop.evaluation;
    settings.evaluation.stop = shop.stop = shop.cancel.child();
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
  Session session(*this, *heard_, planned);
  const StageTools tools = session.tools(*this, session.executor, *heard_);
  const auto here = [this](std::size_t, const ImageLayer&) { return needed_here; };
  for (const auto& [number, result] : Solver(planned, tools, session.settings).solve(numbers(planned, targets), here)) {
    results_[planned.targets[number]->target.name] = result;
  }
  records_ = session.executor.records();
  cut_layers_ = session.layers.known_layers().made();
  return steps();
}

Error Workshop::fail(const std::vector<std::string>& targets) {
  const std::optional<Error> error = caught_error([&] { build(targets); });
  REQUIRE_MESSAGE(error.has_value(), "the build did not fail");
  return *error;
}

Steps Workshop::foresee(const std::vector<std::string>& targets) {
  heard_ = std::make_unique<HeardBuild>();
  const Plan planned = plan();
  Session session(*this, *heard_, planned);
  session.settings.evaluation.unpacks_ahead = false;
  StepForecast forecast(session.lookup);
  const StageTools tools = session.tools(*this, forecast, *heard_);
  problems.clear();
  for (const auto& [number, found] : Solver(planned, tools, session.settings).look_up(numbers(planned, targets))) {
    for (const Error& problem : found) problems[planned.targets[number]->target.name].push_back(problem.message());
  }
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
  for (const auto& [key, layer] : cut_layers_) {
    NewCacheEntry entry{{key, kLayerEntryType, serialise_layer_entry(layer), {}, ""}, {*layer.index}, {}};
    if (layers != Layers::none) entry.with_max.push_back(layer.blobs.front().descriptor);
    entries.push_back(std::move(entry));
  }
  shared->put(std::move(entries), machine_->store);
}

Steps Workshop::steps() const { return heard_->told(); }

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
  Session session(*this, heard, plan());
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
