#include "builder/report/order_advice.hpp"

#include <doctest/doctest.h>

using namespace kiln;

namespace {

constexpr std::uint64_t kMega = 1'000'000;

BuildRecordStep step(int line, const std::string& text, const std::string& layer,
                     const std::vector<std::string>& changed = {}) {
  BuildRecordStep step;
  step.stage = "stage-0";
  step.file = "Dockerfile";
  step.line = line;
  step.text = text;
  step.diff_ids = {oci::sha256_of(layer)};
  for (const std::string& name : changed)
    step.differences.push_back({name, InputDifference::Change::changed, {}, {}, ""});
  return step;
}

BuildRecord build(std::vector<BuildRecordStep> steps, const std::string& target = "app") {
  BuildRecord record;
  BuildRecordTarget& built = record.targets.emplace_back();
  built.name = target;
  built.steps = std::move(steps);
  return record;
}

// All layers have 10 MB; "pip 1" and "pip 2" are the same but for times, "other 1" and "pip 1" are not.
LayerFacts facts() {
  LayerFacts facts;
  facts.compressed_bytes = [](const oci::Digest&) { return 10 * kMega; };
  facts.is_same_content = [](const oci::Digest& before, const oci::Digest& after) {
    const auto is_pip = [](const oci::Digest& layer) {
      for (const char* name : {"pip 1", "pip 2", "pip 3"}) {
        if (layer == oci::sha256_of(name)) return true;
      }
      return false;
    };
    return is_pip(before) && is_pip(after);
  };
  return facts;
}

std::vector<Advice> advise(const std::vector<BuildRecord>& records) {
  std::vector<const BuildRecordTarget*> newest;
  for (const BuildRecordTarget& target : records.back().targets) newest.push_back(&target);
  LayerFacts known = facts();
  for (const BuildRecordTarget* target : newest) {
    for (const BuildRecordStep& step : target->steps) {
      if (step.stage == "stage-0") known.published.insert(step.diff_ids.begin(), step.diff_ids.end());
    }
  }
  return order_advice(records, newest, known);
}

const std::string kParent = "parent layer 1";

}  // namespace

TEST_CASE("a line that moved one below it is told, with what each update moved needlessly") {
  const std::vector<BuildRecord> records = {
      build({step(2, "COPY . /app", "copy 1"), step(3, "RUN pip", "pip 1"), step(4, "RUN make", "make 1")}),
      build({step(2, "COPY . /app", "copy 2", {"file a"}), step(3, "RUN pip", "pip 2", {kParent}),
             step(4, "RUN make", "make 2", {kParent})}),
      build(
          {step(2, "COPY . /app", "copy 2"), step(3, "RUN pip", "pip 2"), step(4, "RUN make", "make 3", {"command"})}),
      build({step(2, "COPY . /app", "copy 3", {"file a"}), step(3, "RUN pip", "pip 3", {kParent}),
             step(4, "RUN make", "make 4", {kParent})}),
  };
  const std::vector<Advice> advice = advise(records);
  REQUIRE(advice.size() == 1);
  CHECK(advice[0].kind == Advice::Kind::reorder);
  CHECK(advice[0].title ==
        "COPY . /app (Dockerfile:2) changed in 2 of 3 updates of app, and moved 1 line that came to the same files");
  CHECK(advice[0].fleet_bytes == 20 * kMega);
  CHECK(advice[0].update_bytes == 20 * kMega / 3);
  CHECK(advice[0].image_bytes.empty());
  REQUIRE(advice[0].changes.size() == 2);
  CHECK(advice[0].changes[0].at.line == 2);
  CHECK(advice[0].changes[1].at.line == 3);
}

TEST_CASE("nothing is told of what came to other files, hit, or no longer stands below") {
  const BuildRecord first = build({step(2, "COPY . /app", "copy 1"), step(3, "RUN pip", "pip 1")});
  CHECK(advise({first, build({step(2, "COPY . /app", "copy 2"), step(3, "RUN pip", "other 1", {kParent})})}).empty());
  CHECK(advise({first, build({step(2, "COPY . /app", "copy 2"), step(3, "RUN pip", "pip 1")})}).empty());
  const BuildRecord moved = build({step(2, "COPY . /app", "copy 2"), step(3, "RUN pip", "pip 2", {kParent})});
  CHECK(advise({first, moved}).size() == 1);
  CHECK(advise({first, moved, build({step(2, "RUN pip", "pip 3", {kParent}), step(3, "COPY . /app", "copy 2")})})
            .empty());
  CHECK(advise({first, moved, build({step(3, "RUN pip", "pip 3", {kParent})})}).empty());
}

TEST_CASE("a base that changed is no fault of a line's order") {
  CHECK(advise({build({step(2, "RUN pip", "pip 1"), step(3, "RUN pip again", "pip 2")}),
                build({step(2, "RUN pip", "pip 3", {"base image"}), step(3, "RUN pip again", "pip 1", {kParent})})})
            .empty());
}

TEST_CASE("a value that a line sees and does not use is to be set below it") {
  const std::vector<Advice> advice =
      advise({build({step(4, "RUN pip", "pip 1")}), build({step(4, "RUN pip", "pip 2", {"ARG COMMIT"})})});
  REQUIRE(advice.size() == 1);
  CHECK(advice[0].title ==
        "ARG COMMIT, which RUN pip (Dockerfile:4) sees, changed in 1 of 1 update of app, and moved 1 line that came to "
        "the same files");
  REQUIRE(advice[0].changes.size() == 1);
  CHECK(advice[0].changes[0].action == "set ARG COMMIT below this line, or change it less often");
}

TEST_CASE("failed builds, other targets and stages that are not published are passed over") {
  const BuildRecord first = build({step(2, "COPY . /app", "copy 1"), step(3, "RUN pip", "pip 1")});
  BuildRecord second = build({step(2, "COPY . /app", "copy 2"), step(3, "RUN pip", "pip 2", {kParent})});
  second.failed = true;
  CHECK(advise({first, second, first}).empty());
  second.failed = false;
  second.targets[0].name = "other";
  CHECK(advise({first, second}).empty());
  BuildRecord built = build({step(2, "COPY . /app", "copy 1"), step(3, "RUN pip", "pip 1")});
  BuildRecord again = build({step(2, "COPY . /app", "copy 2"), step(3, "RUN pip", "pip 2", {kParent})});
  for (BuildRecord* record : {&built, &again}) {
    for (BuildRecordStep& of_stage : record->targets[0].steps) of_stage.stage = "build";
  }
  CHECK(advise({built, again}).empty());
}

TEST_CASE("two profiles of an image have the same lines, which are told once") {
  const auto both = [](const std::string& number) {
    BuildRecord record =
        build({step(2, "COPY . /app", "copy " + number), step(3, "RUN pip", "pip " + number, {kParent})}, "app-a");
    record.targets.push_back(record.targets[0]);
    record.targets[1].name = "app-b";
    return record;
  };
  CHECK(advise({both("1"), both("2")}).size() == 1);
}
