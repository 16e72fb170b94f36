#pragma once

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "builder/plan/plan.hpp"
#include "builder/solve/base_source.hpp"
#include "builder/solve/config_instructions.hpp"
#include "builder/steps/add_sources.hpp"
#include "builder/steps/copy_source.hpp"
#include "builder/steps/copy_step.hpp"
#include "builder/steps/layer_access.hpp"
#include "builder/steps/run_step.hpp"
#include "builder/steps/step.hpp"

namespace kiln {

// Which stage: of the plan's target, of its Dockerfile.
struct StageId {
  std::size_t target = 0;
  std::size_t stage = 0;
  auto operator<=>(const StageId&) const = default;
};

// A stage as it ended.
struct StageResult {
  StageConfig config;
  ImageLayers layers;
  std::optional<BaseOrigin> base;  // nullopt: scratch
  Materials materials;             // of all that its files are from, over and over
};

// The times of what COPY, ADD and WORKDIR write, and of the image.
struct TimePolicy {
  std::optional<UnixSeconds> epoch;  // every time is this one; nullopt: as docker keeps them
};

struct EvaluatorSettings {
  TimePolicy times;
  bool use_cache = true;
  RunSecurity security = RunSecurity::sandbox;  // of every RUN that does not say insecure
  CancelToken stop;                             // asked before each instruction: the build ends, or a stage failed
  bool unpacks_ahead = true;                    // what a RUN will need; false where nothing is executed
};

// What every stage of a build is evaluated with.
struct StageTools {
  LayerAccess& layers;
  BaseSource& bases;
  SourceFetcher& fetcher;
  RunSteps& runs;
  StepSolver& steps;
  BuildObserver& observer;
};

// What a stage needs from the build around it.
class StageEnvironment {
 public:
  virtual ~StageEnvironment() = default;
  // Another stage of this target or the final stage of another target, evaluated; waits for it.
  using Stage = OrBlocked<std::shared_ptr<const StageResult>>;
  virtual Stage stage(std::size_t number) = 0;
  virtual Stage target(std::size_t number) = 0;
  // The tree that a name means; `step` is the text of the instruction that asks.
  using Source = OrBlocked<std::shared_ptr<CopySource>>;
  virtual Source source(const NameMeaning& meaning, const std::string& name, const std::string& step) = 0;
  virtual std::shared_ptr<CopySource> context() = 0;
};

// Evaluates one stage of one target: its instructions in order, each step looked up or executed. One use, one thread.
class StageEvaluator {
 public:
  StageEvaluator(const Plan& plan, StageId id, StageEnvironment& environment, const StageTools& tools,
                 const EvaluatorSettings& settings);

  // Ends at the first step that is blocked. Errors of an instruction carry the excerpt of the Dockerfile around it.
  OrBlocked<StageResult> evaluate();

 private:
  // Each of these returns what stands in the way; nullopt where it is done.
  using Progress = std::optional<Blocked>;
  Progress begin();
  const dockerfile::Instruction* first_layer_too_many() const;
  Progress run_triggers();
  Progress apply(const dockerfile::Instruction& instruction);
  Progress apply_run(const dockerfile::Instruction& instruction, const dockerfile::Run& run);
  Progress apply_copy(const dockerfile::Instruction& instruction, const dockerfile::Copy& copy);
  Progress apply_add(const dockerfile::Instruction& instruction, const dockerfile::Add& add);
  Progress apply_workdir(const dockerfile::Instruction& instruction, const dockerfile::Workdir& workdir);

  // COPY or ADD as docker's history shows it, words expanded.
  std::string transfer_history(const dockerfile::Transfer& transfer, bool parents, bool is_add) const;
  void note_materials(const Materials& materials);
  // With the file and line of an instruction.
  void warn_of(const dockerfile::Instruction& instruction, const std::string& note) const;
  // Adds the sources of a transfer to a plan and takes it as a step.
  Progress transfer(const dockerfile::Instruction& instruction, const dockerfile::Transfer& transfer,
                    CopyOptions options, const std::shared_ptr<CopySource>& source);
  Progress take_copy_step(const dockerfile::Instruction& instruction, CopyWork work, const std::string& history);
  // Solves a step and puts its layers on top of the stage.
  Progress take(const Step& step, const std::string& history);
  // Asks for the layer of a RUN to be cut along packages.
  void cut(RunCommand& command, const LayerRules& rules) const;
  RunNetwork network_of(NetworkMode own) const;
  void place(Step& step, const dockerfile::Instruction& instruction) const;
  // Unpacks the layers so far, in the background, where a RUN that is still to come will need them.
  void prepare_folders();
  const dockerfile::Instruction* next_run() const;
  OrBlocked<MergedView> below(const dockerfile::Instruction& instruction, const dockerfile::Instruction* run);
  std::string time_of(const StepDone& done) const;
  void add_layers(const StepDone& done, const Step& step);
  std::string expand(std::string_view word) const { return state_->config.scope.expand(word).text; }
  std::string text_of(const dockerfile::Instruction& instruction) const;

  const Plan& plan_;
  const PlannedTarget& target_;
  std::size_t number_;
  std::size_t target_number_;
  const dockerfile::Stage& stage_;
  StageEnvironment& environment_;
  LayerAccess& access_;
  const StageTools& tools_;
  const EvaluatorSettings& settings_;
  std::unique_ptr<StageResult> state_;
  int step_index_ = 0;
  int step_count_ = 0;
  std::size_t next_instruction_ = 0;  // of the stage's own, after the one that is applied
  std::future<void> folders_ahead_;   // waited for by the destructor; what fails in it fails again in the RUN
};

}  // namespace kiln
