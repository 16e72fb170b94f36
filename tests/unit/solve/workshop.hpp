#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/temp_dir.hpp"
#include "base/thread_pool.hpp"
#include "builder/cache/shared_cache.hpp"
#include "builder/run/container_runner.hpp"
#include "builder/solve/solver.hpp"
#include "builder/solve/step_executor.hpp"
#include "builder/solve/step_lookup.hpp"

// So that a check that fails shows what there was.
template <>
struct doctest::StringMaker<std::vector<std::string>> {
  static doctest::String convert(const std::vector<std::string>& items) {
    std::string text;
    for (const std::string& item : items) text += "\n    " + item;
    return text.c_str();
  }
};

// Builds with everything around the solver made up: a runner that writes files in place of running containers, bases
// that are there at once, URLs that are texts, a clock that is set. What is below (store, layers, snapshots, caches) is
// real, in a folder that goes with the workshop. So a test says a Dockerfile and the steps that have to come of it:
//
//   Workshop shop;
//   shop.context("a", "1");
//   shop.dockerfile("FROM base\nCOPY a /\nRUN make\n");
//   CHECK(shop.build() == Steps{"built COPY a /", "built RUN make"});
//   CHECK(shop.build() == Steps{"hit COPY a /", "hit RUN make"});
namespace kiln::test {

// "OUTCOME TEXT" of each step that was told, by target, stage and place in the stage.
using Steps = std::vector<std::string>;

// One command as the runner gets it.
struct RunCall {
  const RunRequest& request;
  const CancelToken& cancel;
  const OutputSink& output;

  const std::string& command() const { return request.argv.back(); }
  // What the command leaves in its root file system, by a path without a slash at its beginning.
  void write(const std::string& path, const std::string& text) const;
  // A file of the root file system as the command finds it; nullopt where there is none.
  std::optional<std::string> read(const std::string& path) const;
  // A file below a bind mount.
  std::optional<std::string> read_mount(const std::string& target, const std::string& path) const;
};

// Runs what the test says for a command; without a word a command leaves the file "ran/COMMAND".
class FakeRunner final : public ContainerRunner {
 public:
  using Action = std::function<int(const RunCall&)>;  // returns the exit code
  void on(const std::string& command, Action action) { actions_[command] = std::move(action); }
  RunResult run(const HomeLayout& home, const RunRequest& request, const OutputSink& output,
                const CancelToken& cancel) override;
  // The commands that ran since the last call, sorted.
  std::vector<std::string> take_ran();

 private:
  std::mutex mutex_;
  std::map<std::string, Action> actions_;
  std::vector<std::string> ran_;
};

// Base images by name, made of files; each is asked for in any thread.
class FakeBases final : public BaseSource {
 public:
  using Files = std::map<std::string, std::string>;
  void add(const std::string& name, Files files, oci::ContainerConfig config = {});
  void use(LayerAccess& layers, StepSolver& steps) {
    layers_ = &layers;
    steps_ = &steps;
  }
  // For the Debian root: the words of its lock.
  std::string debian_lock = "1";

  BaseImage image(const std::string& reference, const oci::Platform& platform, Pull pull) override;
  BaseImage layout(const LayoutBase& layout, const oci::Platform& platform) override;
  OrBlocked<BaseImage> debian(const DebianRequest& request, const oci::Platform& platform,
                              const std::string& target) override;
  void lose(const Blocked&) override {}

 private:
  struct Base {
    Files files;
    oci::ContainerConfig config;
  };
  std::mutex mutex_;
  std::map<std::string, Base> bases_;
  LayerAccess* layers_ = nullptr;
  StepSolver* steps_ = nullptr;
};

// Texts behind URLs and git remotes.
class FakeFetcher final : public SourceFetcher {
 public:
  std::map<std::string, std::string> texts;
  std::shared_ptr<CopySource> fetch(const std::string& url, const std::string& checksum,
                                    const SourceSecrets& secrets) override;
  std::shared_ptr<CopySource> check_out(const GitReference& reference, const GitCheckout& options) override;
};

class FakeClock final : public BuildClock {
 public:
  double monotonic_seconds() const override { return static_cast<double>(now_); }
  UnixSeconds now() const override { return now_; }
  void pass(UnixSeconds seconds) { now_ += seconds; }

 private:
  std::atomic<UnixSeconds> now_{1'700'000'000};
};

// What a build told.
class HeardBuild final : public BuildObserver {
 public:
  void info(std::string_view) override {}
  void warn(std::string_view message) override;
  void debug(std::string_view) override {}
  void step_started(const StepView& step) override;
  void step_output(int, std::string_view bytes) override;
  void step_progress(int, std::string_view, std::uint64_t, std::uint64_t) override {}
  void step_finished(int number, const StepResult& result) override;
  void task_finished(int, std::string_view) override {}

  struct Heard {
    StepView view;
    StepResult result;
  };
  std::vector<Heard> steps() const;
  std::vector<std::string> warnings() const;
  std::string output() const;

 private:
  mutable std::mutex mutex_;
  std::map<int, StepView> started_;
  std::vector<Heard> finished_;
  std::vector<std::string> warnings_;
  std::string output_;
};

// One machine's disk.
class Machine {
 public:
  explicit Machine(const fs::path& home) : store(HomeLayout::open(home)), cache(store), snapshots(store, pool) {}
  ThreadPool pool{2};
  ContentStore store;
  StepCache cache;
  SnapshotStore snapshots;
};

class Workshop {
 public:
  Workshop();
  ~Workshop();

  // The target that build() builds where no other is said; others are added by name, for FROM and --from.
  TargetSpec& dockerfile(const std::string& text);
  std::string dockerfile_text() const { return targets_.front().dockerfile_text; }
  TargetSpec& target(const std::string& name, const std::string& text);
  TargetSpec& last_target() { return targets_.back(); }
  // Files of the build context.
  void context(const std::string& path, const std::string& text);
  fs::path context_folder() const { return top_.path() / "context"; }

  // Builds on the machine that is used, all targets or those that are named.
  Steps build(const std::vector<std::string>& targets = {});
  // The same for a build that has to fail; the steps up to then are heard().
  Error fail(const std::vector<std::string>& targets = {});
  // What a forecast says: "hit TEXT" and "miss TEXT".
  Steps foresee(const std::vector<std::string>& targets = {});
  // By the name of a target, what a forecast found that would fail.
  std::map<std::string, std::string> problems;

  // Another machine, with an empty store. The first is "one".
  void use_machine(const std::string& name);
  ContentStore& store() { return machine_->store; }
  // From now on all machines share a cache, and what the last build used is in it: records, file indexes, and the
  // layers of all steps (mode=max), of the images alone (mode=min), or of none.
  enum class Layers { all, of_images, none };
  void share(Layers layers = Layers::all);
  fs::path shared_folder() const { return top_.path() / "shared"; }

  // The last build.
  Steps steps() const;
  std::string reason_of(const std::string& text) const;
  const HeardBuild& heard() const { return *heard_; }
  std::vector<std::string> ran() { return runner.take_ran(); }
  // A file of the image of a target that was built; nullopt where it has none.
  std::optional<std::string> file(const std::string& path, const std::string& target = "");
  const StageResult& result(const std::string& target = "") const { return *results_.at(target); }
  std::string key_of(const std::string& text) const;

  FakeRunner runner;
  FakeBases bases;
  FakeFetcher fetcher;
  FakeClock clock;
  RunSettings runs;
  EvaluatorSettings evaluation;  // its stop is new for each build
  CancelToken cancel;
  CancelToken stop;  // of the build that is going on
  bool needed_here = true;

 private:
  struct Session;
  Plan plan() const;
  std::set<std::size_t> numbers(const Plan& plan, const std::vector<std::string>& targets) const;

  TempDir top_;
  std::vector<TargetSpec> targets_;
  std::map<std::string, std::unique_ptr<Machine>> machines_;
  Machine* machine_ = nullptr;
  bool is_shared_ = false;
  std::unique_ptr<HeardBuild> heard_;
  std::map<std::string, StepRecord> records_;
  std::map<std::string, std::shared_ptr<const StageResult>> results_;
};

}  // namespace kiln::test
