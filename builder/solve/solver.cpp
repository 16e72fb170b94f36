#include "builder/solve/solver.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <future>
#include <mutex>
#include <thread>

#include "base/error.hpp"
#include "base/secret_values.hpp"
#include "builder/dockerfile/ignore.hpp"
#include "builder/dockerfile/stage_name.hpp"
#include "builder/dockerfile/text_file.hpp"
#include "builder/plan/stage_images.hpp"
#include "builder/solve/build_checks.hpp"
#include "builder/steps/context_source.hpp"
#include "builder/steps/image_source.hpp"
#include "builder/steps/work_slots.hpp"

namespace kiln {

namespace {

using StageEnd = StageEnvironment::Stage;
using StageFuture = std::shared_future<StageEnd>;
constexpr std::size_t kLayersAtOnce = 8;

using Results = std::map<std::size_t, std::shared_ptr<const StageResult>>;

}  // namespace

struct Solver::State {
  State(const Plan& p, const StageTools& t, SolverSettings s)
      : plan(p), secrets(p.secrets), tools(t), settings(std::move(s)), slots(settings.parallel) {}

  StageFuture request(StageId id);
  StageEnd evaluate(StageId id);
  std::shared_ptr<CopySource> context_of(const TargetSpec& target);
  std::shared_ptr<CopySource> folder(const fs::path& path, const std::optional<std::string>& ignore,
                                     const std::string& ignore_name, const std::string& description);
  void fail(const std::exception_ptr& error);
  void note_problem(StageId id, const Error& error);
  void end_early(StageId id);
  std::vector<Error> problems_of(std::size_t target);

  StageView view_of(StageId id) const {
    const PlannedTarget& planned = *plan.targets[id.target];
    return {planned.target.name, dockerfile::display_name(planned.dockerfile, id.stage),
            planned.target.platform().str()};
  }
  StageId final_stage(std::size_t target) const { return {target, plan.targets[target]->final_stage}; }
  void finish_all(const std::set<std::size_t>& wanted);
  void check_and_finish(const std::set<std::size_t>& wanted);
  Results results(const std::set<std::size_t>& wanted);
  Blocked lost_steps(const std::set<std::size_t>& wanted, const NeededHere& needed_here);
  void forget_stages_with(const Blocked& lost);

  const Plan& plan;
  const SecretValues secrets;
  const StageTools& tools;
  SolverSettings settings;
  WorkSlots slots;

  std::mutex mutex;
  std::map<StageId, StageFuture> stages;
  std::map<StageId, std::set<StageId>> waited_for;  // by stage, the stages that it asked for
  std::map<std::string, std::shared_ptr<CopySource>> folders;
  std::vector<std::thread> threads;
  std::exception_ptr failure;
  bool only_looks_up = false;
  std::set<StageId> ended_early;  // of a look
  std::map<StageId, Error> problems;
};

// The build around one stage: releases its work slot while it waits for another stage.
class Solver::Environment : public StageEnvironment {
 public:
  Environment(State& solver, StageId id) : solver_(solver), id_(id) {}

  void begin_work() { slot_.emplace(solver_.slots.acquire(solver_.settings.evaluation.stop)); }

  Stage stage(std::size_t number) override { return wait({id_.target, number}); }
  Stage target(std::size_t number) override { return wait(solver_.final_stage(number)); }
  std::shared_ptr<CopySource> context() override { return solver_.context_of(planned().target); }

  Source source(const NameMeaning& meaning, const std::string& name, const std::string& step) override {
    BaseSource& bases = solver_.tools.bases;
    const TargetSpec& target = planned().target;
    bases.note_taken({id_.target, meaning, target.platform(), false});
    const auto from_image = [&](const ImageLayers& layers, const Materials& materials,
                                const std::string& description) -> Source {
      OrBlocked<MergedView> view = solver_.tools.layers.view(layers, LayerAccess::Files::later, step);
      if (view.is_blocked()) return view.blocked();
      auto found =
          std::make_shared<ImageSource>(solver_.tools.layers, layers, std::move(view).value(), description, step);
      found->add_materials(materials);
      return Source(std::move(found));
    };
    const auto from_stage = [&](const Stage& end, const std::string& description) -> Source {
      return end.is_blocked() ? Source(end.blocked())
                              : from_image(end.value()->layers, end.value()->materials, description);
    };
    if (const auto* base = std::get_if<StageBase>(&meaning))
      return from_stage(stage(base->stage), fmt::format("stage '{}'", name));
    if (const auto* fleet = std::get_if<FleetBase>(&meaning))
      return from_stage(this->target(fleet->target), fmt::format("image '{}'", name));
    if (const auto* image = std::get_if<ImageBase>(&meaning)) {
      const BaseImage found = bases.image(image->reference, target.platform(), pull_of(target));
      return from_image(found.layers, found.materials, fmt::format("image '{}'", name));
    }
    if (const auto* layout = std::get_if<LayoutBase>(&meaning)) {
      const BaseImage found = bases.layout(*layout, target.platform());
      return from_image(found.layers, found.materials, fmt::format("context '{}'", name));
    }
    if (std::holds_alternative<DebianBase>(meaning)) {
      const OrBlocked<BaseImage> debian = bases.debian(*target.debian, target.platform(), target.name);
      if (debian.is_blocked()) return debian.blocked();
      return from_image(debian.value().layers, debian.value().materials, "the Debian root");
    }
    if (const auto* folder = std::get_if<FolderBase>(&meaning)) {
      const fs::path ignore = folder->folder / ".dockerignore";
      return solver_.folder(folder->folder, dockerfile::read_text_file(ignore, folder->folder), ignore.native(),
                            fmt::format("context '{}'", name));
    }
    return from_image({}, {}, "an empty image");
  }

 private:
  const PlannedTarget& planned() const { return *solver_.plan.targets[id_.target]; }

  Stage wait(StageId other) {
    StageFuture future = solver_.request(other);
    {
      const std::lock_guard lock(solver_.mutex);
      solver_.waited_for[id_].insert(other);
    }
    if (future.wait_for(std::chrono::seconds(0)) == std::future_status::ready) return future.get();
    slot_.reset();
    BuildObserver& observer = solver_.tools.observer;
    observer.stage_waits(solver_.view_of(id_), solver_.view_of(other));
    future.wait();
    begin_work();
    observer.stage_goes_on(solver_.view_of(id_));
    return future.get();
  }

  State& solver_;
  StageId id_;
  std::optional<WorkSlots::Slot> slot_;
};

std::shared_ptr<CopySource> Solver::State::folder(const fs::path& path, const std::optional<std::string>& ignore,
                                                  const std::string& ignore_name, const std::string& description) {
  if (!fs::is_directory(path)) {
    throw Error(Category::usage, fmt::format("build context '{}' is not a folder", path.native()));
  }
  const std::string key = fs::canonical(path).native() + '\n' + ignore.value_or("");
  const std::lock_guard lock(mutex);
  auto& source = folders[key];
  if (!source) {
    source = std::make_shared<ContextSource>(
        ContextFolder{path, dockerfile::read_ignore_rules(ignore.value_or(""), ignore_name), settings.contexts.modes,
                      description},
        HashTools{tools.layers.pool(), tools.layers.cancel(), settings.contexts.stat_cache});
  }
  return source;
}

std::shared_ptr<CopySource> Solver::State::context_of(const TargetSpec& target) {
  if (!target.context) {
    return std::make_shared<InlineSource>(std::map<std::string, std::string>(), 0644,
                                          "the build context, which is empty: only a Dockerfile was given");
  }
  return folder(*target.context, target.ignore_text, target.ignore_name, "the build context");
}

void Solver::State::fail(const std::exception_ptr& error) {
  const std::lock_guard lock(mutex);
  if (!failure) failure = error;
  settings.evaluation.stop.cancel(1);
}

void Solver::State::note_problem(StageId id, const Error& error) {
  const std::lock_guard lock(mutex);
  problems.emplace(id, error);
}

// Of a look, for a stage that ended before its last line: the images that a build would ask for further down. Which of
// them cannot be had is for problems_of(), which asks again and is answered at once.
void Solver::State::end_early(StageId id) {
  {
    const std::lock_guard lock(mutex);
    ended_early.insert(id);
  }
  const PlannedTarget& planned = *plan.targets[id.target];
  for (const StageImage& image : stage_images(plan, planned, id.stage)) {
    if (tools.layers.cancel().is_cancelled()) return;
    try {
      tools.bases.image(image.reference, image.platform, pull_of(planned.target));
    } catch (const Error&) {
      continue;
    }
  }
}

// What keeps a target from being built: each image that cannot be had, once, and what else ended a stage.
std::vector<Error> Solver::State::problems_of(std::size_t target) {
  const PlannedTarget& planned = *plan.targets[target];
  std::vector<Error> found;
  const auto tell = [&](const Error& error) { found.emplace_back(error.category(), secrets.masked(error.message())); };
  std::set<std::string> images, told;
  for (const std::size_t stage : needed_stages(planned)) {
    if (ended_early.count({target, stage}) == 0) continue;
    for (const StageImage& image : stage_images(plan, planned, stage)) {
      try {
        tools.bases.image(image.reference, image.platform, pull_of(planned.target));
      } catch (const Error& error) {
        const Error located(error.category(),
                            fmt::format("{}:{}: {}", planned.target.dockerfile_name, image.line, error.message()));
        told.insert(located.message());
        if (images.insert(image.identity()).second) tell(located);
      }
    }
    const auto own = problems.find({target, stage});
    if (own != problems.end() && told.count(own->second.message()) == 0) tell(own->second);
  }
  return found;
}

StageEnd Solver::State::evaluate(StageId id) {
  Environment environment(*this, id);
  environment.begin_work();
  OrBlocked<StageResult> end = StageEvaluator(plan, id, environment, tools, settings.evaluation).evaluate();
  if (end.is_blocked()) return end.blocked();
  return std::make_shared<const StageResult>(std::move(end).value());
}

// Starts a stage that was not started yet.
StageFuture Solver::State::request(StageId id) {
  const std::lock_guard lock(mutex);
  if (const auto it = stages.find(id); it != stages.end()) return it->second;
  auto promise = std::make_shared<std::promise<StageEnd>>();
  StageFuture future = promise->get_future().share();
  stages.emplace(id, future);
  threads.emplace_back([this, id, promise] {
    const auto end_with = [&](const Error& error) {
      if (only_looks_up) {
        note_problem(id, error);
        end_early(id);
        promise->set_value(Blocked{});
        return;
      }
      fail(std::current_exception());
      promise->set_exception(std::current_exception());
    };
    try {
      // What this stage will ask for begins at once, beside it.
      for (const std::size_t other : plan.targets[id.target]->needs[id.stage]) request({id.target, other});
      StageEnd end = evaluate(id);
      if (only_looks_up && end.is_blocked()) end_early(id);
      promise->set_value(std::move(end));
    } catch (const Error& error) {
      end_with(error);
    } catch (const std::exception& error) {
      end_with(Error(Category::machine, error.what()));
    }
  });
  return future;
}

void Solver::State::finish_all(const std::set<std::size_t>& wanted) {
  for (const std::size_t target : wanted) request(final_stage(target));
  // Threads may still start threads until the last one has ended.
  for (std::size_t i = 0;; ++i) {
    std::thread thread;
    {
      const std::lock_guard lock(mutex);
      if (i >= threads.size()) break;
      thread = std::move(threads[i]);
    }
    thread.join();
  }
  threads.clear();
}

// The targets' rules and their stages, side by side: the rules wait for base images, and no step waits for the rules.
void Solver::State::check_and_finish(const std::set<std::size_t>& wanted) {
  std::set<std::string> told;
  std::vector<const PlannedTarget*> checked_beside;
  for (const std::size_t number : plan.closure(wanted)) {
    const PlannedTarget& target = *plan.targets[number];
    if (findings_are_errors(target)) {
      check_target(target, tools.bases, tools.observer, told);
    } else {
      checked_beside.push_back(&target);
    }
  }
  std::jthread checks([&] {
    try {
      for (const PlannedTarget* target : checked_beside) {
        if (settings.evaluation.stop.is_cancelled()) break;
        check_target(*target, tools.bases, tools.observer, told);
      }
    } catch (const std::exception&) {
      fail(std::current_exception());
    }
  });
  finish_all(wanted);
}

Results Solver::State::results(const std::set<std::size_t>& wanted) {
  Results results;
  for (const std::size_t target : wanted) results.emplace(target, request(final_stage(target)).get().value());
  return results;
}

// What keeps stages from their end, else what the wanted images lack.
Blocked Solver::State::lost_steps(const std::set<std::size_t>& wanted, const NeededHere& needed_here) {
  Blocked lost;
  for (const auto& [id, future] : stages) {
    if (future.get().is_blocked()) lost.add(future.get().blocked());
  }
  if (!lost.lost.empty()) return lost;
  std::vector<std::pair<ImageLayer, bool>> layers;  // and whether it is needed here
  std::set<std::pair<oci::Digest, bool>> seen;
  for (const auto& [target, result] : results(wanted)) {
    for (const ImageLayer& layer : result->layers) {
      const bool here = needed_here(target, layer);
      if (layer.key.empty() && !here) continue;
      if (seen.emplace(layer.value.diff_id, here).second) layers.emplace_back(layer, here);
    }
  }
  std::mutex lost_mutex;
  // Not the pool: a layer that is compared with what was said of it is inflated there.
  ThreadPool pool(std::clamp<std::size_t>(layers.size(), 1, kLayersAtOnce));
  pool.parallel_for(layers.size(), [&](std::size_t i) {
    const auto& [layer, here] = layers[i];
    Blocked missing;
    if (here) {
      const OrBlocked<LayerBlob> blob = tools.layers.blobs().local(layer);
      if (blob.is_blocked()) missing = blob.blocked();
    } else {
      missing = tools.layers.blobs().missing(layer);
    }
    const std::lock_guard lock(lost_mutex);
    lost.add(missing);
  });
  return lost;
}

// What was blocked, what holds a layer that is lost, and what waited for such a stage is evaluated again.
void Solver::State::forget_stages_with(const Blocked& lost) {
  std::set<StageId> stale;
  for (const auto& [id, future] : stages) {
    const StageEnd& end = future.get();
    bool is_stale = end.is_blocked();
    if (!is_stale) {
      for (const ImageLayer& layer : end.value()->layers)
        is_stale = is_stale || lost.lost.count(statement_key(layer)) > 0;
    }
    if (is_stale) stale.insert(id);
  }
  for (bool grows = true; grows;) {
    grows = false;
    for (const auto& [id, others] : waited_for) {
      for (const StageId& other : others) {
        if (stale.count(other)) grows = stale.insert(id).second || grows;
      }
    }
  }
  for (const StageId& id : stale) {
    stages.erase(id);
    waited_for.erase(id);
  }
}

void LostSteps::add(const Blocked& lost, BuildObserver& observer) {
  for (const auto& [key, text] : lost.lost) {
    if (!keys_.insert(key).second) refuse_lost(lost);
    const std::string& shown = text.empty() ? key : text;
    const auto lie = lost.lies.find(key);
    observer.warn(
        lie == lost.lies.end()
            ? fmt::format("no cache has the layer of '{}' any more; the step is executed again", shown)
            : fmt::format(
                  "what a cache says of the layer of '{}' is false: {}; it is not used, and what was made of it "
                  "is made again",
                  shown, lie->second));
  }
}

Solver::Solver(const Plan& plan, const StageTools& tools, SolverSettings settings)
    : state_(std::make_unique<State>(plan, tools, std::move(settings))) {}

Solver::~Solver() = default;

Results Solver::solve(const std::set<std::size_t>& wanted, const NeededHere& needed_here) {
  return state_->secrets.guard([&] {
    state_->check_and_finish(wanted);
    LostSteps redone;
    for (;;) {
      if (state_->failure) std::rethrow_exception(state_->failure);
      const Blocked lost = state_->lost_steps(wanted, needed_here);
      if (lost.lost.empty()) return state_->results(wanted);
      redone.add(lost, state_->tools.observer);
      state_->forget_stages_with(lost);
      state_->tools.steps.lose(lost);
      state_->tools.bases.lose(lost);
      state_->finish_all(wanted);
    }
  });
}

std::map<std::size_t, std::vector<Error>> Solver::look_up(const std::set<std::size_t>& wanted) {
  state_->only_looks_up = true;
  state_->finish_all(wanted);
  std::map<std::size_t, std::vector<Error>> problems;
  for (const auto& [id, stage] : state_->stages) {
    if (problems.count(id.target)) continue;
    std::vector<Error> found = state_->problems_of(id.target);
    if (!found.empty()) problems.emplace(id.target, std::move(found));
  }
  return problems;
}

}  // namespace kiln
