// Layers that were there when steps were looked up and are gone when images are delivered.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>

#include "base/error.hpp"
#include "tests/unit/build/build_fixture.hpp"

using namespace kiln;
using test::BuildFixture;
using test::Names;
using test::RunCall;
using test::Steps;

namespace {

constexpr const char* kLostReason = "no cache has its layer any more";

// Builds without pushing on one machine, with all of it in the shared cache, and goes to another machine, which is to
// push: it finds the steps and has no layer.
void move_to_a_machine_that_pushes(BuildFixture& fixture) {
  fixture.share();
  fixture.build();
  fixture.ran();
  fixture.use_machine("two");
  fixture.request.delivery.push = true;
}

void lose_blobs(const BuildFixture& fixture) { fs::remove_all(fixture.shared_blobs()); }

std::string top_layer(const BuildResult& result, std::size_t target = 0) {
  return result.targets.at(target).images.at(0).image.parsed.layers.back().digest.str();
}

// Two targets of a step each, of which the cache has the layer of "b" no more when they are pushed.
void lose_the_layer_of_b(BuildFixture& fixture) {
  fixture.target("a", "FROM base\nRUN a\n");
  fixture.target("b", "FROM base\nRUN b\n");
  fixture.share();
  const std::string blob = top_layer(fixture.build(), 1).substr(7);
  move_to_a_machine_that_pushes(fixture);
  fixture.when_push_begins([&fixture, blob] { fs::remove(fixture.shared_blobs() / blob); });
}

}  // namespace

TEST_CASE("a layer that is gone when its image is pushed is made again, and pushed") {
  BuildFixture fixture;
  fixture.context("a", "1");
  fixture.dockerfile("FROM scratch\nCOPY a /\n");
  move_to_a_machine_that_pushes(fixture);
  fixture.when_push_begins([&] { lose_blobs(fixture); });
  const BuildResult result = fixture.build();
  CHECK(fixture.events() == Steps{"hit COPY a /", "built COPY a /", "pushed acme/app:1"});
  CHECK(fixture.reason_of("COPY a /") == kLostReason);
  CHECK(fixture.warnings("no cache has the layer of 'COPY a /' any more; the step is executed again") == 1);
  CHECK(fixture.pushed("acme/app:1") == result.targets.at(0).root.digest.str());
  CHECK(fixture.registry.broken_tags().empty());
  CHECK(fixture.named() == Names{"acme/app:1"});
  CHECK(fixture.remembered().empty());
}

TEST_CASE("of several layers only the step is executed whose layer is gone") {
  BuildFixture fixture;
  fixture.context("a", "1");
  fixture.context("b", "2");
  fixture.context("c", "3");
  fixture.dockerfile("FROM scratch\nCOPY a /\nCOPY b /\nCOPY c /\n");
  fixture.share();
  const BuildResult first = fixture.build();
  const std::string blob(first.targets.at(0).images.at(0).image.parsed.layers.at(1).digest.hex());
  move_to_a_machine_that_pushes(fixture);
  fixture.when_push_begins([&] { fs::remove(fixture.shared_blobs() / blob); });
  const BuildResult second = fixture.build();
  CHECK(fixture.events() ==
        Steps{"hit COPY a /", "hit COPY b /", "hit COPY c /", "built COPY b /", "pushed acme/app:1"});
  CHECK(second.targets.at(0).root.digest == first.targets.at(0).root.digest);
  CHECK(fixture.registry.broken_tags().empty());
}

TEST_CASE("where all layers are gone each step is executed once, however the push comes upon them") {
  BuildFixture fixture;
  fixture.dockerfile(
      "FROM scratch AS files\nADD https://acme.example/a /\nFROM base\nCOPY --from=files /a /\nRUN one\n"
      "RUN two\n");
  fixture.fetcher.texts["https://acme.example/a"] = "text";
  move_to_a_machine_that_pushes(fixture);
  fixture.when_push_begins([&] { lose_blobs(fixture); });
  fixture.build();
  CHECK(fixture.ran() == Steps{"one", "two"});
  CHECK(fixture.registry.broken_tags().empty());
  CHECK(fixture.events().back() == "pushed acme/app:1");
}

TEST_CASE("a step that comes out otherwise when it is executed again makes another image, which is what is pushed") {
  BuildFixture fixture;
  std::atomic<int> times{0};
  fixture.runner.on("unstable", [&](const RunCall& call) { return call.write("out", std::to_string(++times)), 0; });
  fixture.dockerfile("FROM base\nRUN unstable\nRUN after\n");
  fixture.share();
  const BuildResult first = fixture.build();
  move_to_a_machine_that_pushes(fixture);
  fixture.when_push_begins([&] { lose_blobs(fixture); });
  const BuildResult second = fixture.build();
  CHECK(times == 2);
  CHECK(fixture.ran() == Steps{"after", "unstable"});
  CHECK(first.targets.at(0).root.digest != second.targets.at(0).root.digest);
  CHECK(fixture.pushed("acme/app:1") == second.targets.at(0).root.digest.str());
  CHECK(fixture.registry.broken_tags().empty());
  CHECK(fixture.named() == Names{"acme/app:1"});
}

TEST_CASE("targets that lost nothing are pushed once and named, beside one that is made again") {
  BuildFixture fixture;
  lose_the_layer_of_b(fixture);
  fixture.build();
  CHECK(fixture.ran() == Steps{"b"});
  const Steps events = fixture.events();
  CHECK(std::count(events.begin(), events.end(), "pushed acme/a:1") == 1);
  CHECK(std::count(events.begin(), events.end(), "unchanged acme/a:1") == 0);
  CHECK(events.back() == "pushed acme/b:1");
  CHECK(fixture.named() == Names{"acme/a:1", "acme/b:1"});
  CHECK(fixture.registry.broken_tags().empty());
}

TEST_CASE("a stage that two targets share is executed once for both when its layer is gone") {
  BuildFixture fixture;
  const std::string common = "FROM base AS common\nRUN common\nFROM common\n";
  fixture.target("a", common + "RUN a\n");
  fixture.target("b", common + "RUN b\n");
  move_to_a_machine_that_pushes(fixture);
  fixture.when_push_begins([&] { lose_blobs(fixture); });
  fixture.build();
  CHECK(fixture.ran() == Steps{"a", "b", "common"});
  CHECK(fixture.named() == Names{"acme/a:1", "acme/b:1"});
  CHECK(fixture.registry.broken_tags().empty());
}

TEST_CASE("where the step fails when it is executed again, its image is not tagged and others keep what they have") {
  BuildFixture fixture;
  lose_the_layer_of_b(fixture);
  fixture.runner.on("b", [](const RunCall&) { return 9; });
  const Error error = fixture.fail();
  CHECK(error.category() == Category::build);
  CHECK(error.message() == "b/Dockerfile:2: the command '/bin/sh -c b' ended with exit code 9");
  CHECK_FALSE(fixture.pushed("acme/a:1").empty());
  CHECK(fixture.pushed("acme/b:1").empty());
  CHECK(fixture.named() == Names{"acme/a:1"});
}

TEST_CASE("the platforms of an index are made again together, and the index is pushed whole") {
  BuildFixture fixture;
  fixture.dockerfile("FROM base\nRUN make\n").platforms = {oci::Platform::parse("linux/amd64"),
                                                           oci::Platform::parse("linux/arm64")};
  move_to_a_machine_that_pushes(fixture);
  fixture.when_push_begins([&] { lose_blobs(fixture); });
  const BuildResult result = fixture.build();
  CHECK(fixture.pushed("acme/app:1") == result.targets.at(0).root.digest.str());
  CHECK(fixture.registry.broken_tags().empty());
  CHECK(fixture.named() == Names{"acme/app:1"});
}

TEST_CASE("what was made again is in the cache again, for the next machine") {
  BuildFixture fixture;
  fixture.dockerfile("FROM base\nRUN make\n");
  move_to_a_machine_that_pushes(fixture);
  fixture.when_push_begins([&] { lose_blobs(fixture); });
  fixture.build();
  CHECK(fixture.ran() == Steps{"make"});
  fixture.use_machine("three");
  fixture.request.delivery.push = false;
  fixture.build();
  CHECK(fixture.steps() == Steps{"hit RUN make"});
  CHECK(fixture.ran().empty());
  CHECK(fixture.named() == Names{"acme/app:1"});
}

TEST_CASE("a layer that the registry has is not missed when the cache has it no more") {
  BuildFixture fixture;
  fixture.dockerfile("FROM base\nRUN make\n");
  fixture.share();
  fixture.request.delivery.push = true;
  fixture.build();
  fixture.ran();
  fixture.use_machine("two");
  fixture.request.fleet.targets.front().tags = {fixture.reference("acme/app:2")};
  fixture.when_push_begins([&] { lose_blobs(fixture); });
  fixture.build();
  CHECK(fixture.events() == Steps{"hit RUN make", "pushed acme/app:2"});
  CHECK(fixture.ran().empty());
  CHECK(fixture.registry.broken_tags().empty());
}

TEST_CASE("an archive beside the push has its layers here, so nothing of the image can be lost to the push") {
  BuildFixture fixture;
  fixture.dockerfile("FROM base\nRUN make\n").outputs = {"type=oci,dest=" + fixture.out("app.tar").native(),
                                                         "type=image"};
  move_to_a_machine_that_pushes(fixture);
  fixture.when_push_begins([&] { lose_blobs(fixture); });
  fixture.build();
  CHECK(fixture.events() == Steps{"hit RUN make", "pushed acme/app:1"});
  CHECK(fs::exists(fixture.out("app.tar")));
  CHECK(fixture.ran().empty());
}
