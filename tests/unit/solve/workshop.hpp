#pragma once

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/temp_dir.hpp"
#include "base/thread_pool.hpp"
#include "builder/cache/shared_cache.hpp"
#include "builder/solve/solver.hpp"
#include "builder/solve/step_executor.hpp"
#include "builder/solve/step_lookup.hpp"
#include "tests/support/build_fakes.hpp"

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
  // By the name of a target, what a forecast found that would fail or cannot be had.
  std::map<std::string, Steps> problems;

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
  const std::map<std::string, StepRecord>& records() const { return records_; }

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
  std::map<std::string, LayerValue> cut_layers_;  // by their shapes
  std::map<std::string, std::shared_ptr<const StageResult>> results_;
};

}  // namespace kiln::test
