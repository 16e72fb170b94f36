#include "builder/cache/build_record.hpp"

#include <doctest/doctest.h>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;

namespace {

BuildRecord sample(const std::string& id) {
  BuildRecordStep step;
  step.stage = "stage-0";
  step.index = 2;
  step.file = "Dockerfile";
  step.line = 4;
  step.text = "COPY app /app";
  step.key = std::string(64, 'a');
  step.outcome = StepOutcome::built;
  step.reason = "file app/main.py changed";
  step.miss_kind = MissKind::layer_gone;
  step.seconds = 0.5;
  step.bytes = 120;
  step.diff_ids = {oci::sha256_of("tar")};
  step.against = "2026-01-01T00:00:00Z";
  step.differences = {{"file app/main.py", InputDifference::Change::changed, {}, {}, {}},
                      {"ARG VERSION", InputDifference::Change::changed, "1", "2", {}},
                      {"parent layer 1", InputDifference::Change::gone, {}, {}, "RUN make"}};
  BuildRecord record;
  record.id = id;
  record.created = "2026-11-21T09:42:10Z";
  record.kiln_version = "1.0";
  record.seconds = 3.5;
  record.targets = {{"app-pc2",
                     "app",
                     "pc2",
                     "linux/amd64",
                     "images/app/Dockerfile",
                     {"ghcr.io/acme/app-pc2:1"},
                     oci::sha256_of("m"),
                     {step}},
                    {"base", "base", "", "linux/amd64", "images/base/Dockerfile", {}, {}, {}}};
  return record;
}

const std::string kId = "20261121T094210.123456-1f00ab34";

}  // namespace

TEST_CASE("a build record survives its JSON") {
  const BuildRecord record = sample(kId);
  CHECK(parse_build_record(serialise(record), "record") == record);
}

TEST_CASE("what targets are built from comes before them, each once, and in no circle") {
  BuildRecord record = sample(kId);
  record.fleet = "/repo/images";
  const auto add = [&](const std::string& name, const std::string& platform, std::vector<std::string> parents) {
    BuildRecordTarget& target = record.targets.emplace_back();
    target.name = name;
    target.platform = platform;
    target.parents = std::move(parents);
  };
  record.targets.clear();
  add("os", "linux/arm64", {});
  add("os", "linux/amd64", {"ml"});
  add("ml", "linux/amd64", {"os"});
  add("one", "linux/amd64", {"ml", "os"});
  add("two", "linux/amd64", {"ml", "gone"});
  CHECK(parse_build_record(serialise(record), "record") == record);
  using Targets = std::vector<const BuildRecordTarget*>;
  const auto& targets = record.targets;
  CHECK(record.bases_of(record.find("one")) == Targets{&targets[1], &targets[2]});
  CHECK(record.bases_of(record.find("")) == Targets{});
  CHECK(record.bases_of({&targets[3], &targets[4]}) == Targets{&targets[1], &targets[2]});
}

TEST_CASE("a build record is found by target, image and name, and whole without a word") {
  const BuildRecord record = sample(kId);
  CHECK(record.find("").size() == 2);
  for (const char* word : {"app-pc2", "app", "ghcr.io/acme/app-pc2:1"}) {
    CAPTURE(word);
    REQUIRE(record.find(word).size() == 1);
    CHECK(record.find(word)[0]->name == "app-pc2");
  }
  CHECK(record.find("ghcr.io/acme/app-pc2:2").empty());
  CHECK(record.find("../app").empty());
}

TEST_CASE("what is no build record of this version is refused by name") {
  std::string text = serialise(sample(kId));
  for (const std::string& bad :
       {std::string("{"), std::string("[]"), std::string("{\"version\": 2}"), text.substr(0, text.size() / 2)}) {
    CAPTURE(bad);
    CHECK(error_of([&] { parse_build_record(bad, "record 'x'"); }).starts_with("machine: record 'x': "));
  }
}

TEST_CASE("build IDs sort by time and are recognised") {
  CHECK(is_build_id(new_build_id()));
  CHECK(new_build_id() != new_build_id());
  CHECK_FALSE(is_build_id("../../etc/passwd"));
  CHECK_FALSE(is_build_id("20261121T094210.123456-1f00ab3G"));
}

TEST_CASE("the store keeps the newest records and names a damaged one") {
  const TempDir folder;
  const BuildRecordStore store(folder.path() / "builds", 2);
  CHECK(store.ids().empty());
  for (const char* id :
       {"20260101T000000.000000-00000000", "20260102T000000.000000-00000000", "20260103T000000.000000-00000000"})
    store.save(sample(id));
  CHECK(store.ids() == std::vector<std::string>{"20260102T000000.000000-00000000", "20260103T000000.000000-00000000"});
  CHECK_FALSE(store.load("20260101T000000.000000-00000000"));
  CHECK(store.load("20260103T000000.000000-00000000") == sample("20260103T000000.000000-00000000"));
  write_file_atomically(store.path_of("20260103T000000.000000-00000000"), "{");
  CHECK(error_of([&] { store.load("20260103T000000.000000-00000000"); }).starts_with("machine: build record '"));
}
