#include "builder/solve/solver.hpp"

#include <fmt/format.h>

#include <exception>
#include <future>
#include <mutex>
#include <thread>

#include "base/error.hpp"
#include "builder/dockerfile/ignore.hpp"
#include "builder/dockerfile/text_file.hpp"
#include "builder/solve/build_checks.hpp"
#include "builder/solve/work_slots.hpp"

namespace kiln {

namespace {

using StageKey = std::pair<std::size_t, std::size_t>;  // target, stage
using StageFuture = std::shared_future<std::shared_ptr<const StageResult>>;

}  // namespace

struct Solver::State {
  State(const Plan& p, LayerAccess& a, BaseImages& b, StepExecutor& s, RunSteps& r, BuildObserver& o,
        EvaluatorSettings e, ContextSettings c, std::size_t parallel)
      : plan(p),
        access(a),
        bases(b),
        steps(s),
        runs(r),
        observer(o),
        settings(std::move(e)),
        contexts(c),
        slots(parallel) {}

  StageFuture request(StageKey key);
  std::shared_ptr<CopySource> context_of(const BuildTarget& target);
  std::shared_ptr<CopySource> folder(const fs::path& path, const std::optional<std::string>& ignore,
                                     const std::string& ignore_name, const std::string& description);
  void fail(std::exception_ptr error);
  void note_problem(std::size_t target, const std::exception& error);

  const Plan& plan;
  LayerAccess& access;
  BaseImages& bases;
  StepExecutor& steps;
  RunSteps& runs;
  BuildObserver& observer;
  EvaluatorSettings settings;
  ContextSettings contexts;
  WorkSlots slots;

  std::mutex mutex;
  std::map<StageKey, StageFuture> stages;
  std::map<std::string, std::shared_ptr<CopySource>> folders;
  std::vector<std::thread> threads;
  std::exception_ptr failure;
  bool only_looks_up = false;
  std::map<std::size_t, std::string> problems;
};

namespace {

// The build around one stage: gives up its work slot while it waits for another stage.
class Environment : public StageEnvironment {
 public:
  using Request = std::function<StageFuture(StageKey)>;
  Environment(const Plan& plan, std::size_t target, Request request, WorkSlots& slots, LayerAccess& access,
              BaseImages& bases, std::function<std::shared_ptr<CopySource>()> context,
              std::function<std::shared_ptr<CopySource>(const fs::path&, const std::string&)> folder, CancelToken stop)
      : plan_(plan),
        target_(target),
        request_(std::move(request)),
        slots_(slots),
        access_(access),
        bases_(bases),
        context_(std::move(context)),
        folder_(std::move(folder)),
        stop_(std::move(stop)) {}

  void begin_work() { slot_.emplace(slots_.acquire(stop_)); }

  std::shared_ptr<const StageResult> stage(std::size_t number) override { return wait({target_, number}); }
  std::shared_ptr<const StageResult> target(std::size_t number) override {
    return wait({number, plan_.targets[number]->final_stage});
  }
  std::shared_ptr<CopySource> context() override { return context_(); }

  std::shared_ptr<CopySource> source(const NameMeaning& meaning, const std::string& name) override {
    const PlannedTarget& planned = *plan_.targets[target_];
    const auto from_image = [&](const ImageLayers& layers, const std::string& description) {
      return std::make_shared<ImageSource>(access_, layers, description);
    };
    if (const auto* stage_base = std::get_if<StageBase>(&meaning)) {
      return from_image(stage(stage_base->stage)->layers, fmt::format("stage '{}'", name));
    }
    if (const auto* fleet = std::get_if<FleetBase>(&meaning)) {
      return from_image(target(fleet->target)->layers, fmt::format("image '{}'", name));
    }
    if (const auto* image = std::get_if<ImageBase>(&meaning)) {
      return from_image(bases_.image(image->reference, planned.target.platform).layers,
                        fmt::format("image '{}'", name));
    }
    if (const auto* layout = std::get_if<LayoutBase>(&meaning)) {
      return from_image(bases_.layout(*layout, planned.target.platform).layers, fmt::format("context '{}'", name));
    }
    if (std::holds_alternative<DebianBase>(meaning)) {
      return from_image(bases_.debian(*planned.target.debian, planned.target.platform, planned.target.name).layers,
                        "the Debian root");
    }
    if (const auto* folder = std::get_if<FolderBase>(&meaning)) {
      return folder_(folder->folder, fmt::format("context '{}'", name));
    }
    return from_image({}, "an empty image");
  }

 private:
  std::shared_ptr<const StageResult> wait(StageKey key) {
    StageFuture future = request_(key);
    if (future.wait_for(std::chrono::seconds(0)) == std::future_status::ready) return future.get();
    slot_.reset();
    future.wait();
    begin_work();
    return future.get();
  }

  const Plan& plan_;
  std::size_t target_;
  Request request_;
  WorkSlots& slots_;
  LayerAccess& access_;
  BaseImages& bases_;
  std::function<std::shared_ptr<CopySource>()> context_;
  std::function<std::shared_ptr<CopySource>(const fs::path&, const std::string&)> folder_;
  CancelToken stop_;
  std::optional<WorkSlots::Slot> slot_;
};

}  // namespace

std::shared_ptr<CopySource> Solver::State::folder(const fs::path& path, const std::optional<std::string>& ignore,
                                                  const std::string& ignore_name, const std::string& description) {
  if (!fs::is_directory(path)) {
    throw Error(Category::usage, fmt::format("build context '{}' is not a folder", path.native()));
  }
  const std::string key = fs::canonical(path).native() + '\n' + ignore.value_or("");
  const std::lock_guard lock(mutex);
  auto& source = folders[key];
  if (!source) {
    source = std::make_shared<ContextSource>(path, dockerfile::read_ignore_rules(ignore.value_or(""), ignore_name),
                                             contexts.modes, contexts.stat_cache, access.pool(), access.cancel(),
                                             description);
  }
  return source;
}

std::shared_ptr<CopySource> Solver::State::context_of(const BuildTarget& target) {
  if (!target.context) {
    return std::make_shared<InlineSource>(std::map<std::string, std::string>(), 0644,
                                          "the build context, which is empty: only a Dockerfile was given");
  }
  return folder(*target.context, target.ignore_text, target.ignore_name, "the build context");
}

void Solver::State::fail(std::exception_ptr error) {
  const std::lock_guard lock(mutex);
  if (!failure) failure = error;
  settings.stop.cancel(1);
}

void Solver::State::note_problem(std::size_t target, const std::exception& error) {
  const std::lock_guard lock(mutex);
  problems.emplace(target, error.what());
}

// Starts a stage where nobody has yet.
StageFuture Solver::State::request(StageKey key) {
  const std::lock_guard lock(mutex);
  if (const auto it = stages.find(key); it != stages.end()) return it->second;
  auto promise = std::make_shared<std::promise<std::shared_ptr<const StageResult>>>();
  StageFuture future = promise->get_future().share();
  stages.emplace(key, future);
  threads.emplace_back([this, key, promise] {
    try {
      const PlannedTarget& planned = *plan.targets[key.first];
      // What this stage will ask for begins at once, beside it.
      for (const std::size_t other : planned.needs[key.second]) request({key.first, other});
      Environment environment(
          plan, key.first, [this](StageKey other) { return request(other); }, slots, access, bases,
          [this, &planned] { return context_of(planned.target); },
          [this](const fs::path& path, const std::string& description) {
            const fs::path ignore = path / ".dockerignore";
            return folder(path, dockerfile::read_text_file(ignore, path), ignore.native(), description);
          },
          settings.stop);
      environment.begin_work();
      StageEvaluator evaluator(plan, planned, key.second, environment, access, bases, steps, runs, observer, settings);
      promise->set_value(std::make_shared<const StageResult>(evaluator.evaluate()));
    } catch (const StepMissed&) {
      promise->set_exception(std::current_exception());
    } catch (const std::exception& error) {
      if (only_looks_up) {
        note_problem(key.first, error);
        promise->set_exception(std::make_exception_ptr(StepMissed{}));
        return;
      }
      fail(std::current_exception());
      promise->set_exception(std::current_exception());
    }
  });
  return future;
}

Solver::Solver(const Plan& plan, LayerAccess& access, BaseImages& bases, StepExecutor& steps, RunSteps& runs,
               BuildObserver& observer, EvaluatorSettings settings, ContextSettings contexts, std::size_t parallel)
    : state_(std::make_unique<State>(plan, access, bases, steps, runs, observer, std::move(settings), contexts,
                                     parallel)) {}

Solver::~Solver() = default;

void Solver::finish_all(const std::set<std::size_t>& wanted) {
  for (const std::size_t target : wanted) state_->request({target, state_->plan.targets[target]->final_stage});
  // Threads may still start threads until the last one has ended.
  for (std::size_t i = 0;; ++i) {
    std::thread thread;
    {
      const std::lock_guard lock(state_->mutex);
      if (i >= state_->threads.size()) break;
      thread = std::move(state_->threads[i]);
    }
    thread.join();
  }
}

std::map<std::size_t, std::shared_ptr<const StageResult>> Solver::solve(const std::set<std::size_t>& wanted) {
  std::set<std::string> told;
  std::vector<const PlannedTarget*> checked_beside;
  for (const std::size_t number : state_->plan.closure(wanted)) {
    const PlannedTarget& target = *state_->plan.targets[number];
    if (findings_are_errors(target)) {
      check_target(target, state_->bases, state_->observer, told);
    } else {
      checked_beside.push_back(&target);
    }
  }
  // The rules wait for base images, and no step waits for the rules.
  std::jthread checks([&] {
    try {
      for (const PlannedTarget* target : checked_beside) {
        if (state_->settings.stop.is_cancelled()) break;
        check_target(*target, state_->bases, state_->observer, told);
      }
    } catch (const std::exception&) {
      state_->fail(std::current_exception());
    }
  });
  finish_all(wanted);
  checks.join();
  if (state_->failure) std::rethrow_exception(state_->failure);
  std::map<std::size_t, std::shared_ptr<const StageResult>> results;
  for (const std::size_t target : wanted) {
    results.emplace(target, state_->request({target, state_->plan.targets[target]->final_stage}).get());
  }
  return results;
}

std::map<std::size_t, std::string> Solver::look_up(const std::set<std::size_t>& wanted) {
  state_->only_looks_up = true;
  finish_all(wanted);
  return state_->problems;
}

}  // namespace kiln
