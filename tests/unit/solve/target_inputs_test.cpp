// The hash of everything that decides a target's image: what changes it, and what leaves it open.
#include "builder/solve/target_inputs.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <functional>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;

namespace {

struct Inputs {
  TempDir folder;
  ThreadPool pool{2};
  std::vector<TargetSpec> targets;
  InputSettings settings{"1.0", {}, {kReproducibleEpoch}, ContextModes::as_on_disk};

  Inputs() {
    for (const char* path : {"a", "b", "folder/x"}) write(path, "1");
    add("app", "FROM base@sha256:" + std::string(64, 'a') + "\nCOPY a /\n");
  }

  TargetSpec& add(const std::string& name, const std::string& dockerfile) {
    TargetSpec& target = targets.emplace_back();
    target.name = target.image = name;
    target.dockerfile_name = name + "/Dockerfile";
    target.dockerfile_text = dockerfile;
    target.context = folder.path();
    target.platforms = {oci::Platform::parse("linux/amd64")};
    return target;
  }

  void write(const std::string& path, const std::string& text) {
    make_directories((folder.path() / path).parent_path());
    write_file_atomically(folder.path() / path, text, Durability::ephemeral);
  }

  void says(const std::string& lines) {
    targets[0].dockerfile_text = "FROM base@sha256:" + std::string(64, 'a') + "\n" + lines;
  }

  TargetInputs find() {
    FleetNames names;
    names.registry_and_namespace = "ghcr.io/acme";
    const Plan plan = make_plan(targets, names);
    return inputs_of(plan, {0}, settings, {pool, {}})[0];
  }

  bool changes(const std::function<void()>& change) {
    const std::string before = find().hash;
    change();
    return find().hash != before;
  }
};

}  // namespace

TEST_CASE("a hash is of the target's words and files, and is the same every time") {
  Inputs inputs;
  CHECK(inputs.find().hash.size() == 64);
  CHECK(inputs.find().tag().starts_with("inputs-"));
  CHECK(inputs.find().open.empty());
  CHECK_FALSE(inputs.changes([] {}));
}

TEST_CASE("files that an instruction names are in the hash, others are not") {
  Inputs inputs;
  CHECK(inputs.changes([&] { inputs.write("a", "2"); }));
  CHECK_FALSE(inputs.changes([&] { inputs.write("b", "2"); }));
  inputs.says("COPY folder /\n");
  CHECK(inputs.changes([&] { inputs.write("folder/y", "2"); }));
  CHECK_FALSE(inputs.changes([&] { inputs.write("a", "3"); }));
  inputs.says("ADD b /\n");
  CHECK(inputs.changes([&] { inputs.write("b", "3"); }));
}

TEST_CASE("what a bind mount shows is in the hash, and what a cache mount keeps is not") {
  Inputs inputs;
  inputs.says("RUN --mount=target=/in,source=folder make\n");
  CHECK(inputs.changes([&] { inputs.write("folder/x", "2"); }));
  CHECK_FALSE(inputs.changes([&] { inputs.write("a", "2"); }));
  inputs.says("RUN --mount=type=cache,target=/c make\n");
  CHECK_FALSE(inputs.changes([&] { inputs.write("a", "3"); }));
}

TEST_CASE("a variable in a source stands for everything in the context") {
  for (const char* lines : {"ARG A=a\nCOPY $A /\n", "ARG A=a\nRUN --mount=target=/in,source=$A make\n"}) {
    CAPTURE(lines);
    Inputs inputs;
    inputs.says(lines);
    CHECK(inputs.changes([&] { inputs.write("folder/x", "2"); }));
  }
}

TEST_CASE("modes and links of files are in the hash, their times and their machine's attributes are not") {
  Inputs inputs;
  const std::string file = (inputs.folder.path() / "a").native();
  CHECK(inputs.changes([&] { ::chmod(file.c_str(), 0755); }));
  CHECK_FALSE(inputs.changes([&] { REQUIRE(::setxattr(file.c_str(), "user.kiln", "1", 1, 0) == 0); }));
  CHECK_FALSE(
      inputs.changes([&] { fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::hours(100)); }));
  inputs.says("COPY folder /\n");
  CHECK(inputs.changes([&] { fs::create_symlink("x", inputs.folder.path() / "folder/link"); }));
}

TEST_CASE("what the ignore file leaves out is not in the hash") {
  Inputs inputs;
  inputs.says("COPY . /\n");
  inputs.targets[0].ignore_text = "b\n";
  CHECK_FALSE(inputs.changes([&] { inputs.write("b", "2"); }));
  CHECK(inputs.changes([&] { inputs.write("a", "2"); }));
}

TEST_CASE("files of a stage that is named or numbered are in the hash, those of a stage that nothing needs are not") {
  for (const std::string from : {"builder", "0"}) {
    CAPTURE(from);
    Inputs inputs;
    const std::string base = "FROM base@sha256:" + std::string(64, 'a');
    inputs.targets[0].dockerfile_text =
        base + " AS builder\nCOPY a /\n" + base + " AS unused\nCOPY b /\n" + base + "\nCOPY --from=" + from + " /a /\n";
    CHECK(inputs.changes([&] { inputs.write("a", "2"); }));
    CHECK_FALSE(inputs.changes([&] { inputs.write("b", "2"); }));
  }
}

TEST_CASE("every word of a target that reaches its image is in the hash, its names are not") {
  Inputs inputs;
  TargetSpec& target = inputs.targets[0];
  CHECK(inputs.changes([&] { target.args["A"] = "1"; }));
  CHECK(inputs.changes([&] { target.labels["l"] = "1"; }));
  CHECK(inputs.changes([&] { target.platforms = {oci::Platform::parse("linux/arm64")}; }));
  CHECK(inputs.changes([&] { target.compression = Compression{CompressionKind::zstd, {}}; }));
  CHECK(inputs.changes([&] { target.network = NetworkMode::none; }));
  CHECK(inputs.changes([&] { inputs.settings.times.epoch = 1; }));
  CHECK(inputs.changes([&] { inputs.settings.kiln_version = "2.0"; }));
  CHECK(inputs.changes([&] { target.profile = Profile{"small", {{"A", "1"}}, {}, {}, {}}; }));
  CHECK(inputs.changes([&] { target.profile->values["A"] = "2"; }));
  CHECK_FALSE(inputs.changes([&] { target.names = {"ghcr.io/acme/app:1"}; }));
  CHECK_FALSE(inputs.changes([&] { target.secrets = {{"s", "/secret", std::nullopt}}; }));
}

TEST_CASE("a parent of the fleet is in the hash by its own") {
  Inputs inputs;
  inputs.targets[0].dockerfile_text = "FROM ghcr.io/acme/parent\nRUN make\n";
  inputs.add("parent", "FROM scratch\nCOPY b /\n");
  CHECK(inputs.changes([&] { inputs.write("b", "2"); }));
  CHECK_FALSE(inputs.changes([&] { inputs.write("a", "2"); }));
}

TEST_CASE("all of the context counts where a parent of the fleet has triggers that may copy it") {
  Inputs inputs;
  inputs.targets[0].dockerfile_text = "FROM ghcr.io/acme/parent\nRUN make\n";
  inputs.add("parent", "FROM scratch\nONBUILD COPY b /\n");
  CHECK(inputs.changes([&] { inputs.write("b", "2"); }));
}

TEST_CASE("what may change behind a hash is told") {
  Inputs inputs;
  inputs.targets[0].dockerfile_text = "FROM docker.io/library/base:1\nRUN make\n";
  CHECK(inputs.find().open ==
        "'docker.io/library/base:1' is a tag that may move; name a digest or lock it with 'kiln lock'");
  inputs.says("ADD https://example.com/x /\n");
  CHECK(inputs.find().open == "what is behind 'https://example.com/x' may change; ADD it with --checksum");
  inputs.says("ADD --checksum=sha256:" + std::string(64, 'b') + " https://example.com/x /\n");
  CHECK(inputs.find().open.empty());
  inputs.says("COPY a /\n");
  inputs.settings.times.epoch.reset();
  CHECK(inputs.find().open == "its files keep the times they have on disk");
}

TEST_CASE("a source that is missing is an error that names the target") {
  Inputs inputs;
  inputs.says("COPY missing /\n");
  CHECK(error_of([&] { inputs.find(); }) == "build: '/missing' is not in the build context, in target 'app'");
  inputs.targets[0].context = inputs.folder.path() / "nowhere";
  CHECK(error_of([&] { inputs.find(); }).starts_with("usage: build context '"));
}
