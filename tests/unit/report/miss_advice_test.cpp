#include "builder/report/miss_advice.hpp"

#include <doctest/doctest.h>

using namespace kiln;

namespace {

BuildRecordStep miss(std::vector<InputDifference> differences, MissKind kind = MissKind::changed) {
  BuildRecordStep step;
  step.outcome = StepOutcome::built;
  step.miss_kind = kind;
  step.differences = std::move(differences);
  return step;
}

constexpr auto kChanged = InputDifference::Change::changed;

}  // namespace

TEST_CASE("a hit needs no advice") {
  BuildRecordStep step;
  step.outcome = StepOutcome::hit;
  CHECK(miss_advice(step).empty());
}

TEST_CASE("each type of input has its remedy") {
  CHECK(miss_advice(miss({{"file app/main.py", kChanged, {}, {}, {}}})).at(0).find("'app/main.py'") !=
        std::string::npos);
  CHECK(miss_advice(miss({{"ARG V", kChanged, "1", "2", {}}})).at(0) == "pass --build-arg V=1");
  CHECK(miss_advice(miss({{"ARG TOKEN", kChanged, {}, {}, {}}})).at(0).find("pass the value") == 0);
  CHECK(miss_advice(miss({{"profile OMP_NUM_THREADS", kChanged, {}, {}, {}}})).at(0).find("ARG OMP_NUM_THREADS") !=
        std::string::npos);
  CHECK(miss_advice(miss({{"parent layer 2", kChanged, {}, {}, "RUN make"}})).at(0).find("'RUN make'") !=
        std::string::npos);
  CHECK(miss_advice(miss({{"base image", kChanged, {}, {}, {}}})).at(0).find("by digest") != std::string::npos);
  CHECK(miss_advice(miss({{"ulimit nofile", kChanged, {}, {}, {}}})).at(0) == "keep ulimit nofile as it was");
}

TEST_CASE("a miss without differences is answered by its kind") {
  CHECK(miss_advice(miss({}, MissKind::cache_off)).at(0).find("--no-cache") != std::string::npos);
  CHECK(miss_advice(miss({}, MissKind::layer_gone)).at(0).find("pruned") != std::string::npos);
  CHECK(miss_advice(miss({})).at(0).find("next build") != std::string::npos);
}

TEST_CASE("many files give a few sentences") {
  std::vector<InputDifference> differences;
  for (int i = 0; i < 50; ++i) differences.push_back({"file " + std::to_string(i), kChanged, {}, {}, {}});
  CHECK(miss_advice(miss(differences)).size() == 3);
}
