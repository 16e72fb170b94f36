#include "builder/report/miss_causes.hpp"

#include <doctest/doctest.h>

using namespace kiln;

namespace {

InputDifference changed(std::string name) { return {std::move(name), InputDifference::Change::changed, {}, {}, {}}; }

BuildRecordStep step(int line, std::string key, StepOutcome outcome, std::vector<InputDifference> differences = {}) {
  BuildRecordStep step;
  step.file = "Dockerfile";
  step.line = line;
  step.key = std::move(key);
  step.outcome = outcome;
  step.differences = std::move(differences);
  step.seconds = 2;
  step.bytes = 10;
  return step;
}

BuildRecordTarget target(std::string name, std::vector<std::string> parents, std::vector<BuildRecordStep> steps) {
  BuildRecordTarget target;
  target.name = std::move(name);
  target.platform = "linux/amd64";
  target.parents = std::move(parents);
  target.steps = std::move(steps);
  for (BuildRecordStep& step : target.steps) step.file = target.name + "/" + step.file;
  return target;
}

constexpr auto kHit = StepOutcome::hit;
constexpr auto kBuilt = StepOutcome::built;

// os is as it was; app's line 7 changed; three services are built from it, one of them with a change of its own beside,
// one for a second profile whose step the first one executed; tool is built from os and changed by itself.
BuildRecord sample() {
  BuildRecord record;
  record.targets.push_back(target("service-small", {"app"}, {step(2, "s", kHit)}));
  record.targets.push_back(target("service-large", {"app"}, {step(2, "s", kBuilt, {changed("parent layer 2")})}));
  record.targets.push_back(
      target("other", {"app"}, {step(2, "o", kBuilt, {changed("file a"), changed("base image")})}));
  record.targets.push_back(target("copied", {"app"}, {step(2, "c", kHit)}));
  record.targets.push_back(target("app", {"os"}, {step(3, "a", kHit), step(7, "b", kBuilt, {changed("command")})}));
  record.targets.push_back(target("os", {}, {step(1, "x", kHit)}));
  record.targets.push_back(target("tool", {"os"}, {step(2, "t", kBuilt, {changed("file main.py")})}));
  return record;
}

}  // namespace

TEST_CASE("the first cause of a chain is named once, with what was rebuilt because of it") {
  const BuildRecord record = sample();
  const MissCauses causes(record);
  const auto all = causes.all();
  REQUIRE(all.size() == 2);
  CHECK(all[0]->text() == "app/Dockerfile:7 changed; 3 images rebuilt because of it");
  CHECK(all[1]->text() == "tool/Dockerfile:2: file main.py changed");
  for (const std::size_t number : {0, 1, 2, 3, 4}) CHECK(causes.of(record.targets[number]) == all[0]);
  CHECK(causes.of(record.targets[5]) == nullptr);
  CHECK(causes.of(record.targets[6]) == all[1]);
}

TEST_CASE("an image that missed by itself alone has that cause, whatever is below it") {
  BuildRecord record = sample();
  record.targets[1].steps[0].differences = {changed("file b")};
  const MissCauses causes(record);
  CHECK(causes.of(record.targets[1])->text() ==
        "service-large/Dockerfile:2: file b changed; 1 image rebuilt because of it");
  CHECK(causes.of(record.targets[0]) == causes.of(record.targets[1]));
}

TEST_CASE("a first build is the cause of itself") {
  BuildRecord record;
  record.targets.push_back(target("os", {}, {step(1, "x", kBuilt)}));
  record.targets.push_back(target("app", {"os"}, {step(1, "y", kBuilt)}));
  for (BuildRecordTarget& built : record.targets) built.steps[0].miss_kind = MissKind::first_build;
  const MissCauses causes(record);
  REQUIRE(causes.all().size() == 2);
  CHECK(causes.all()[0]->is_first_build());
  CHECK(causes.all()[0]->rebuilt.empty());
}

TEST_CASE("a line that is new in an image that was built before is named") {
  BuildRecord record;
  record.targets.push_back(target("os", {}, {step(1, "x", kHit), step(4, "y", kBuilt)}));
  record.targets.push_back(target("app", {"os"}, {step(2, "z", kBuilt, {changed("parent layer 2")})}));
  record.targets[0].steps[1].miss_kind = MissKind::first_build;
  record.targets[0].steps[1].reason = "no earlier build of this step";
  const MissCauses causes(record);
  REQUIRE(causes.all().size() == 1);
  CHECK_FALSE(causes.all()[0]->is_first_build());
  CHECK(causes.all()[0]->text() == "os/Dockerfile:4: no earlier build of this step; 1 image rebuilt because of it");
}

TEST_CASE("misses are summed up with what they cost") {
  MissSum sum;
  for (const BuildRecordTarget& one : sample().targets) sum.add(one);
  CHECK(sum.hits == 4);
  CHECK(sum.misses == 4);
  CHECK(sum.seconds == 8);
  CHECK(sum.bytes == 40);
}
