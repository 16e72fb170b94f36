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

#include "builder/run/container_runner.hpp"
#include "builder/solve/base_source.hpp"
#include "builder/steps/add_sources.hpp"
#include "builder/steps/build_clock.hpp"
#include "builder/steps/step.hpp"
#include "tests/support/print_texts.hpp"

// What stands around a build, made up: a runner that writes files in place of running containers, bases that are there
// at once, URLs that are texts, a clock that is set.
namespace kiln::test {

void write_text(const fs::path& path, const std::string& text);

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
  // What is known of one that was added: the digest of its manifest, and when it was made.
  void describe(const std::string& name, const oci::Digest& digest, const std::string& created);
  void use(LayerAccess& layers, StepSolver& steps) {
    layers_ = &layers;
    steps_ = &steps;
  }
  // For the Debian root: the words of its lock.
  std::string debian_lock = "1";

  // "REFERENCE", or "REFERENCE anew" for Pull::always, of each that was asked for since the last call, sorted.
  std::vector<std::string> take_asked();

  BaseImage image(const std::string& reference, const oci::Platform& platform, Pull pull) override;
  BaseImage layout(const LayoutBase& layout, const oci::Platform& platform) override;
  OrBlocked<BaseImage> debian(const DebianRequest& request, const oci::Platform& platform,
                              const std::string& target) override;
  void lose(const Blocked&) override {}

 private:
  struct Base {
    Files files;
    oci::ContainerConfig config;
    std::optional<oci::Digest> digest;
    std::string created;
  };
  std::mutex mutex_;
  std::map<std::string, Base> bases_;
  std::vector<std::string> asked_;
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
  // Called whenever a build asks for seconds, by the thread that does: a step asks when it begins, and once its layers
  // are made.
  std::function<void()> when_asked;

  double monotonic_seconds() const override {
    if (when_asked) when_asked();
    return static_cast<double>(now_);
  }
  UnixSeconds now() const override { return now_; }
  void pass(UnixSeconds seconds) { now_ += seconds; }

 private:
  std::atomic<UnixSeconds> now_{1'700'000'000};
};

// What a build told.
class HeardBuild final : public BuildObserver {
 public:
  void info(std::string_view message) override;
  void warn(std::string_view message) override;
  void debug(std::string_view) override {}
  void step_started(const StepView& step) override;
  void step_output(int, std::string_view bytes) override;
  void step_progress(int, std::string_view, std::uint64_t, std::uint64_t) override {}
  void step_finished(int number, const StepResult& result) override;
  void task_finished(int number, std::string_view error) override;
  void step_missed(int number, const Miss& miss) override;
  void stage_waits(const StageView& stage, const StageView& other) override;
  void stage_goes_on(const StageView& stage) override;
  bool wants_expectation() const override { return true; }
  void build_expected(const std::vector<ExpectedStage>& stages) override;

  struct Heard {
    StepView view;
    StepResult result;
  };
  std::vector<Heard> steps() const;
  // "OUTCOME TEXT" of the steps, in their order in the Dockerfiles.
  Steps told() const;
  // Steps and tasks ("pushed r.io/app:1@0123456789ab", with ": ERROR" where one failed) in the order in which they
  // ended.
  std::vector<std::string> events() const;
  std::vector<std::string> infos() const;
  std::vector<std::string> warnings() const;
  std::string output() const;
  // "TEXT: REASON" of the steps that were executed, in the order in which they missed.
  std::vector<std::string> missed() const;
  // "TARGET waits for TARGET" of the stages that did, and "TARGET goes on".
  std::vector<std::string> waits() const;
  std::vector<ExpectedStage> expected() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> missed_;
  std::vector<std::string> waits_;
  std::vector<ExpectedStage> expected_;
  std::map<int, StepView> started_;
  std::vector<Heard> finished_;
  std::vector<std::string> events_;
  std::vector<std::string> infos_;
  std::vector<std::string> warnings_;
  std::string output_;
};

}  // namespace kiln::test
