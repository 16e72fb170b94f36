#pragma once

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "builder/plan/plan.hpp"
#include "builder/solve/base_images.hpp"
#include "builder/solve/config_instructions.hpp"
#include "builder/solve/copy_source.hpp"
#include "builder/solve/git_source.hpp"
#include "builder/solve/image_layers.hpp"
#include "builder/solve/run_step.hpp"
#include "builder/solve/step_executor.hpp"

namespace kiln {

// A stage as it ended.
struct StageResult {
  StageConfig config;
  ImageLayers layers;
  std::optional<BaseOrigin> base;  // nullopt: scratch
};

// The times of what COPY, ADD and WORKDIR write, and of the image.
struct TimePolicy {
  std::optional<UnixSeconds> epoch;  // every time is this one; nullopt: as docker keeps them
};

struct EvaluatorSettings {
  TimePolicy times;
  bool use_cache = true;
  RunSecurity security = RunSecurity::sandbox;  // of every RUN that does not say insecure
  bool exports_images = false;  // images with more layers than container engines start are refused beforehand
  CancelToken stop;             // asked before each instruction: another stage failed
};

// What a stage needs from the build around it.
class StageEnvironment {
 public:
  virtual ~StageEnvironment() = default;
  // Another stage of this target or the final stage of another target, evaluated; waits for it.
  virtual std::shared_ptr<const StageResult> stage(std::size_t number) = 0;
  virtual std::shared_ptr<const StageResult> target(std::size_t number) = 0;
  // The tree a name stands for.
  virtual std::shared_ptr<CopySource> source(const NameMeaning& meaning, const std::string& name) = 0;
  virtual std::shared_ptr<CopySource> context() = 0;
};

// Evaluates one stage of one target: its instructions in order, each step looked up or executed. One use, one thread.
class StageEvaluator {
 public:
  StageEvaluator(const Plan& plan, const PlannedTarget& target, std::size_t stage, StageEnvironment& environment,
                 LayerAccess& access, BaseImages& bases, StepExecutor& steps, RunSteps& runs, BuildObserver& observer,
                 const EvaluatorSettings& settings);

  // Errors of an instruction carry the excerpt of the Dockerfile around it.
  StageResult evaluate();

 private:
  void begin();
  const dockerfile::Instruction* first_layer_too_many() const;
  void run_triggers();
  void apply(const dockerfile::Instruction& instruction);
  void apply_run(const dockerfile::Instruction& instruction, const dockerfile::Run& run);
  void apply_copy(const dockerfile::Instruction& instruction, const dockerfile::Copy& copy);
  void apply_add(const dockerfile::Instruction& instruction, const dockerfile::Add& add);
  void apply_workdir(const dockerfile::Instruction& instruction, const dockerfile::Workdir& workdir);

  // Adds the sources of a transfer to a plan and runs it as a step.
  // COPY or ADD as docker's history shows it, words expanded.
  std::string transfer_history(const dockerfile::Transfer& transfer, bool parents, bool is_add) const;
  void transfer(const dockerfile::Instruction& instruction, const dockerfile::Transfer& transfer, CopyOptions options,
                const std::shared_ptr<CopySource>& source, bool is_add);
  // The sources of ADD; `kept` keeps what the plan refers to.
  using KeptSources = std::vector<std::shared_ptr<CopySource>>;
  void add_source(CopyPlan& plan, const dockerfile::Add& add, const std::string& path, const std::string& destination,
                  const std::shared_ptr<CopySource>& context, KeptSources& kept);
  void add_local_source(CopyPlan& plan, const std::shared_ptr<CopySource>& source, const std::string& path,
                        const std::string& destination, KeptSources& kept);
  void add_local_file(CopyPlan& plan, const std::shared_ptr<CopySource>& source, const std::string& path,
                      const std::string& destination, KeptSources& kept);
  void add_url_source(CopyPlan& plan, const dockerfile::Add& add, const std::string& url,
                      const std::string& destination, KeptSources& kept);
  void add_git_source(CopyPlan& plan, const dockerfile::Add& add, const GitReference& reference,
                      const std::string& destination, KeptSources& kept);
  void run_copy_step(const dockerfile::Instruction& instruction, CopyPlan& plan, const std::string& kind,
                     std::vector<RawInput> inputs, std::string history);
  StepRequest new_step(const dockerfile::Instruction& instruction, std::string kind) const;
  // Unpacks the layers so far, in the background, where a RUN that is still to come will need them.
  void prepare_folders();
  const dockerfile::Instruction* next_run() const;
  MergedView below(const dockerfile::Instruction* run);
  std::string time_of(const StepDone& done) const;
  void add_layers(const StepDone& done, const StepRequest& request);
  std::string expand(std::string_view word) const { return state_->config.scope.expand(word).text; }
  std::string text_of(const dockerfile::Instruction& instruction) const;

  const Plan& plan_;
  const PlannedTarget& target_;
  std::size_t number_;
  const dockerfile::Stage& stage_;
  StageEnvironment& environment_;
  LayerAccess& access_;
  BaseImages& bases_;
  StepExecutor& steps_;
  RunSteps& runs_;
  BuildObserver& observer_;
  const EvaluatorSettings& settings_;
  std::unique_ptr<StageResult> state_;
  int step_index_ = 0;
  int step_count_ = 0;
  std::size_t next_instruction_ = 0;          // of the stage's own, after the one that is applied
  std::future<SnapshotChain> folders_ahead_;  // waited for by the destructor; what fails in it fails again in the RUN
};

}  // namespace kiln
