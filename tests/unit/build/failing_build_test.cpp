// Builds that fail or are stopped: what was executed by then, and that nothing incomplete has a name.
#include <doctest/doctest.h>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "builder/cache/build_record.hpp"
#include "tests/support/check_error.hpp"
#include "tests/unit/build/build_fixture.hpp"
#include "tests/unit/sign/test_keys.hpp"

using namespace kiln;
using test::BuildFixture;
using test::Names;
using test::RunCall;
using test::Steps;

namespace {

int breaks(const RunCall& call) {
  call.output("no such thing\n");
  return 5;
}

BuildRecord last_record(BuildFixture& fixture) {
  const BuildRecordStore records(fixture.store().home().builds());
  REQUIRE_FALSE(records.ids().empty());
  return records.load(records.ids().back()).value();
}

}  // namespace

TEST_CASE("a failed step ends the build there: nothing is exported, pushed or named, and its record says so") {
  BuildFixture fixture;
  fixture.runner.on("breaks", breaks);
  fixture.dockerfile("FROM base\nRUN before\nRUN breaks\nRUN after\n").outputs = {
      "type=registry", "type=oci,dest=" + fixture.out("app.tar").native()};
  CHECK_ERROR(fixture.build(), Category::build, "Dockerfile:3: the command '/bin/sh -c breaks' ended with exit code 5");
  CHECK(fixture.events() == Steps{"built RUN before", "failed RUN breaks"});
  CHECK(fixture.ran() == Steps{"before", "breaks"});
  CHECK_FALSE(fs::exists(fixture.out("app.tar")));
  CHECK(fixture.pushed("acme/app:1").empty());
  CHECK(fixture.registry.count("PUT", "/manifests/") == 0);
  CHECK(fixture.named().empty());
  CHECK(fixture.remembered().empty());
  CHECK(fixture.built_calls == 0);
  CHECK(last_record(fixture).failed);
}

TEST_CASE("the build after a failure goes on where it failed") {
  BuildFixture fixture;
  fixture.runner.on("breaks", breaks);
  fixture.dockerfile("FROM base\nRUN before\nRUN breaks\nRUN after\n");
  fixture.fail();
  fixture.ran();
  fixture.runner.on("breaks", {});
  fixture.build();
  CHECK(fixture.steps() == Steps{"hit RUN before", "built RUN breaks", "built RUN after"});
  CHECK(fixture.ran() == Steps{"after", "breaks"});
  CHECK(fixture.named() == Names{"acme/app:1"});
  CHECK_FALSE(last_record(fixture).failed);
}

TEST_CASE("where one target fails nothing of the others is delivered, and their steps are kept") {
  BuildFixture fixture;
  fixture.target("good", "FROM base\nRUN good\n");
  fixture.target("bad", "FROM good\nRUN breaks\n").contexts = {{"good", "target:good"}};
  fixture.runner.on("breaks", breaks);
  fixture.request.delivery.push = true;
  CHECK_ERROR(fixture.build(), Category::build, doctest::Contains("bad/Dockerfile:2: "));
  CHECK(fixture.events() == Steps{"built RUN good", "failed RUN breaks"});
  CHECK(fixture.named().empty());
  CHECK(fixture.pushed("acme/good:1").empty());
  fixture.build({"good"});
  CHECK(fixture.events() == Steps{"hit RUN good", "pushed acme/good:1"});
}

TEST_CASE("an image whose push failed has no name in the store, and the push is remembered") {
  BuildFixture fixture;
  fixture.dockerfile("FROM base\nRUN make\n").outputs = {"type=registry"};
  fixture.refuse_manifests("acme/app");
  CHECK_ERROR(fixture.build(), Category::network, doctest::Contains("while pushing '"));
  CHECK(fixture.events() == Steps{"built RUN make"});
  CHECK(fixture.named().empty());
  CHECK(fixture.remembered() == Names{"acme/app:1"});
  CHECK(fixture.warnings("1 push is remembered") == 1);
  CHECK(fixture.built_calls == 0);

  fixture.registry.script({});
  fixture.build();
  CHECK(fixture.events() == Steps{"hit RUN make", "pushed acme/app:1"});
  CHECK(fixture.named() == Names{"acme/app:1"});
  CHECK(fixture.remembered().empty());
}

TEST_CASE("a failed push keeps no other target from being pushed and named") {
  BuildFixture fixture;
  fixture.target("a", "FROM base\nRUN a\n");
  fixture.target("b", "FROM base\nRUN b\n");
  fixture.target("c", "FROM base\nRUN c\n").outputs = {"type=image"};
  fixture.target("a", "FROM base\nRUN a\n").outputs = {"type=image,push=true"};
  fixture.target("b", "FROM base\nRUN b\n").outputs = {"type=image,push=true"};
  fixture.refuse_manifests("acme/a");
  const Error error = fixture.fail();
  CHECK(error.category() == Category::network);
  CHECK(error.message().find("/acme/a:1'") != std::string::npos);
  CHECK(fixture.named() == Names{"acme/b:1", "acme/c:1"});
  CHECK_FALSE(fixture.pushed("acme/b:1").empty());
  CHECK(fixture.pushed("acme/a:1").empty());
  CHECK(fixture.remembered() == Names{"acme/a:1"});
}

TEST_CASE("where one of two repositories of an image refuses it, it has no name in the store") {
  BuildFixture fixture;
  TargetSpec& target = fixture.dockerfile("FROM base\nRUN make\n");
  target.tags = {fixture.reference("acme/app:1"), fixture.reference("acme/copy:1")};
  target.outputs = {"type=registry"};
  fixture.refuse_manifests("acme/copy");
  CHECK(fixture.fail().category() == Category::network);
  CHECK_FALSE(fixture.pushed("acme/app:1").empty());
  CHECK(fixture.named().empty());
  CHECK(fixture.remembered() == Names{"acme/copy:1"});
}

TEST_CASE("an index of which one platform's manifest is refused leaves no tag and no name") {
  BuildFixture fixture;
  TargetSpec& target = fixture.dockerfile("FROM base\nRUN make\n");
  target.platforms = {oci::Platform::parse("linux/amd64"), oci::Platform::parse("linux/arm64")};
  target.outputs = {"type=registry"};
  fixture.refuse_manifests("acme/app");
  CHECK(fixture.fail().category() == Category::network);
  CHECK(fixture.pushed("acme/app:1").empty());
  CHECK(fixture.named().empty());
}

TEST_CASE("an export that fails keeps everything from being pushed and named") {
  BuildFixture fixture;
  write_file_atomically(fixture.out("file"), "in the way", Durability::ephemeral);
  fixture.target("a", "FROM base\nRUN a\n").outputs = {"type=image,push=true"};
  fixture.target("b", "FROM base\nRUN b\n").outputs = {"type=oci,dest=" + fixture.out("file/b.tar").native()};
  CHECK(fixture.fail().category() == Category::machine);
  CHECK(fixture.steps() == Steps{"built RUN a", "built RUN b"});
  CHECK(fixture.pushed("acme/a:1").empty());
  CHECK(fixture.named().empty());
}

TEST_CASE("a build that is cancelled while a command runs executes no later step and delivers nothing") {
  BuildFixture fixture;
  fixture.runner.on("long", [&](const RunCall& call) -> int {
    fixture.cancel.cancel(2);
    call.cancel.check();
    return 0;
  });
  fixture.dockerfile("FROM base\nRUN before\nRUN long\nRUN after\n").outputs = {"type=registry"};
  CHECK(fixture.fail().category() == Category::cancelled);
  CHECK(fixture.ran() == Steps{"before", "long"});
  CHECK(fixture.named().empty());
  CHECK(fixture.registry.count("PUT", "/manifests/") == 0);
  CHECK(fixture.remembered().empty());
}

TEST_CASE("a build that was cancelled before it began executes nothing") {
  BuildFixture fixture;
  fixture.dockerfile("FROM base\nRUN make\n");
  fixture.cancel.cancel(15);
  CHECK(fixture.fail().category() == Category::cancelled);
  CHECK(fixture.ran().empty());
  CHECK(fixture.named().empty());
}

TEST_CASE("a build that is cancelled while it pushes leaves no tag and no name, and its steps are kept") {
  BuildFixture fixture;
  fixture.dockerfile("FROM base\nRUN make\n").outputs = {"type=registry"};
  fixture.when_push_begins([&] { fixture.cancel.cancel(2); });
  CHECK(fixture.fail().category() == Category::cancelled);
  CHECK(fixture.pushed("acme/app:1").empty());
  CHECK(fixture.named().empty());
  fixture.cancel = CancelToken();
  fixture.build();
  CHECK(fixture.events() == Steps{"hit RUN make", "pushed acme/app:1"});
}

TEST_CASE("a COPY of what is not there fails in its place, after what stands before it") {
  BuildFixture fixture;
  fixture.dockerfile("FROM base\nRUN before\nCOPY missing /\n");
  const Error error = fixture.fail();
  CHECK(error.category() == Category::build);
  CHECK(error.message().starts_with("Dockerfile:3: "));
  CHECK(fixture.steps().front() == "built RUN before");
  CHECK(fixture.named().empty());
}

TEST_CASE("a base that nothing has is the network's error, and no step of its stage is executed") {
  BuildFixture fixture;
  fixture.dockerfile("FROM nowhere\nRUN make\n");
  CHECK_ERROR(fixture.build(), Category::network, doctest::Contains("there is no image 'nowhere'"));
  CHECK(fixture.ran().empty());
}

TEST_CASE("what cannot be delivered is refused before a home is opened and anything is built") {
  BuildFixture fixture;
  TargetSpec& target = fixture.dockerfile("FROM base\nRUN make\n");
  target.tags.clear();
  fixture.request.delivery.push = true;
  CHECK_ERROR(fixture.build(), Category::usage, "--push needs a name; give one with -t");
  CHECK_FALSE(fs::exists(fixture.home()));
  fixture.request.delivery.push = false;
  fixture.request.delivery.inputs_tag = true;
  CHECK_ERROR(fixture.build(), Category::usage, "--inputs-tag is given to what is pushed; add --push");
  fixture.request.delivery.inputs_tag = false;
  fixture.request.delivery.pins = {"ap=" + fixture.reference("acme/app:1")};
  CHECK_ERROR(fixture.build(), Category::usage, doctest::Contains("'ap' is no target that this build needs"));
  CHECK_FALSE(fs::exists(fixture.home()));
  CHECK(fixture.ran().empty());
}

TEST_CASE("the failed command is handed over where it is to be kept, and not for a build that was cancelled") {
  BuildFixture fixture;
  int told = 0;
  fixture.on_failed_run = [&](const Error& error, std::unique_ptr<FailedRun>) {
    ++told;
    CHECK(error.message().find("exit code 5") != std::string::npos);
  };
  fixture.runner.on("breaks", breaks);
  fixture.dockerfile("FROM base\nRUN breaks\n");
  fixture.fail();
  CHECK(told == 0);
  fixture.request.settings.runs.keep_failed = true;
  fixture.fail();
  CHECK(told == 1);
  fixture.runner.on("breaks", [&](const RunCall& call) -> int {
    fixture.cancel.cancel(2);
    call.cancel.check();
    return 0;
  });
  CHECK(fixture.fail().category() == Category::cancelled);
  CHECK(told == 1);
}

TEST_CASE("findings that are errors fail the build before its first step") {
  BuildFixture fixture;
  fixture.dockerfile("# check=error=true\nFROM base\nRUN first\nMAINTAINER acme\n");
  CHECK(fixture.fail().category() == Category::build);
  CHECK(fixture.ran().empty());
  CHECK(fixture.named().empty());
}

TEST_CASE("a cache that cannot be written fails the build only where its failing is not to be ignored") {
  BuildFixture fixture;
  fixture.share();
  write_file_atomically(fixture.shared_blobs().parent_path().parent_path(), "no folder", Durability::ephemeral);
  fixture.dockerfile("FROM base\nRUN make\n");
  fixture.build();
  CHECK(fixture.named() == Names{"acme/app:1"});
  CHECK_FALSE(fixture.heard().warnings().empty());
  fixture.request.settings.caches.to.front().ignore_error = false;
  fixture.dockerfile("FROM base\nRUN make more\n");
  CHECK(fixture.fail().category() == Category::network);
}

TEST_CASE("an image that is pushed and cannot be signed is a failed delivery, and its push is not sent again") {
  BuildFixture fixture;
  fixture.dockerfile("FROM base\nRUN make\n").outputs = {"type=registry"};
  int opened = 0;
  fixture.request.delivery.signing.open_key = [&] {
    ++opened;
    return std::optional(test::p256_key());
  };
  fixture.registry.script([](const test::SeenRequest& request, int) {
    const bool is_signature = request.method == "PUT" && request.path.ends_with(".sig");
    return is_signature
               ? test::Reaction{test::Reaction::Kind::answer, {403, {}, R"({"errors":[{"code":"DENIED"}]})"}, 0}
               : test::Reaction{};
  });
  const Error error = fixture.fail();
  CHECK(error.category() == Category::network);
  CHECK(error.message().find("DENIED") != std::string::npos);
  CHECK(error.message().find("was pushed and is not signed ('kiln sign ") != std::string::npos);
  CHECK_FALSE(fixture.pushed("acme/app:1").empty());
  CHECK(fixture.named().empty());
  CHECK(fixture.remembered().empty());
  CHECK(opened == 1);

  fixture.registry.script({});
  fixture.build();
  CHECK(fixture.named() == Names{"acme/app:1"});
  const std::string hex = fixture.pushed("acme/app:1").substr(7);
  CHECK_FALSE(fixture.pushed("acme/app:sha256-" + hex + ".sig").empty());
  CHECK(fixture.registry.broken_tags().empty());
}

TEST_CASE("a key that does not open ends the build before anything of it is executed") {
  BuildFixture fixture;
  fixture.dockerfile("FROM base\nRUN make\n").outputs = {"type=registry"};
  fixture.request.delivery.signing.open_key = []() -> std::optional<SigningKey> {
    throw Error(Category::usage, "the password does not open it");
  };
  CHECK_ERROR(fixture.build(), Category::usage, "the password does not open it");
  CHECK(fixture.ran().empty());
}

TEST_CASE("the key is left alone where nothing is pushed") {
  BuildFixture fixture;
  fixture.dockerfile("FROM base\nRUN make\n");
  fixture.request.delivery.signing.open_key = []() -> std::optional<SigningKey> {
    throw Error(Category::usage, "it was opened");
  };
  fixture.build();
  CHECK(fixture.warnings("--sign-key does nothing") == 0);
  fixture.request.delivery.signing.is_said = true;
  fixture.build();
  CHECK(fixture.warnings("--sign-key does nothing: no image is pushed") == 1);
}
