#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/secret_values.hpp"
#include "builder/cache/shared_cache.hpp"
#include "builder/cache/step_cache.hpp"
#include "builder/solve/masked_inputs.hpp"
#include "builder/steps/step.hpp"

namespace kiln {

// Looks steps up: in the store, then in the shared cache. Executes nothing and writes nothing but what a shared cache
// answered. Any thread.
class StepLookup {
 public:
  // `shared` may be null. All but the secrets are borrowed.
  StepLookup(StepCache& cache, SharedCache* shared, Log& log, SecretValues secrets)
      : cache_(cache), shared_(shared), log_(log), secrets_(std::move(secrets)) {}

  StepCache& cache() noexcept { return cache_; }

  // A record, or why there is none.
  struct Answer {
    std::optional<StepDone> found;
    Miss miss;
  };
  // Nothing where the step is not to be looked up: its cache is off, or its layers are lost.
  Answer find(const Step& step);
  // On this machine alone, and in the shared cache alone.
  Answer find_here(const Step& step);
  Answer find_shared(const Step& step);

  // What a step is recorded and compared by: all of its inputs, no secret shown.
  std::vector<RawInput> inputs_of(const Step& step) const { return masked_inputs(step.all_inputs(), secrets_); }

  // Fills in what a miss is by and, by the nearest earlier build of the same place, what differs.
  void explain_miss(const Step& step, const Miss& miss, StepResult& result);

  // No place has the layers of these steps (the keys of Blocked::lost): they are found no more.
  void lose(const Blocked& lost);
  bool is_lost(const std::string& key) const { return !loss_of(key).empty(); }

 private:
  // Why a step is found no more; "" where it may be.
  std::string loss_of(const std::string& key) const;
  // Records of other builds that stood where this step stands, as the shared cache remembers them: for a machine that
  // built nothing yet.
  std::vector<StepRecord> shared_predecessors(const Step& step);

  StepCache& cache_;
  SharedCache* shared_;
  Log& log_;
  SecretValues secrets_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string> lost_;  // by key, why
};

// A hit's result, or that of a step that was executed.
StepResult result_of(const StepRecord& record, StepOutcome outcome);

// A step as the caches answered.
struct ForeseenAnswer {
  StepView view;
  StepResult result;  // outcome hit, or of a miss its reason, key and differences
  bool is_hit = false;
};

// Answers steps by looking them up alone, and keeps the answers: for a forecast.
class StepForecast final : public StepSolver {
 public:
  explicit StepForecast(StepLookup& lookup) : lookup_(lookup) {}

  OrBlocked<StepDone> solve(const Step& step) override;
  bool would_execute(const Step&) override { return false; }
  void lose(const Blocked& lost) override { lookup_.lose(lost); }

  std::vector<ForeseenAnswer> answers() const;

 private:
  StepLookup& lookup_;
  mutable std::mutex mutex_;
  std::vector<ForeseenAnswer> answers_;
};

}  // namespace kiln
