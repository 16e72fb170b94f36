// Layers that are sent while later steps run: which, when, and what is left of them where the build fails.
#include "builder/build/early_layers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "base/error.hpp"
#include "builder/packages/layer_cut.hpp"
#include "tests/unit/build/build_fixture.hpp"

using namespace kiln;
using test::BuildFixture;
using test::Names;
using test::RunCall;
using test::SeenRequest;
using test::Steps;

namespace {

int uploads(const BuildFixture& fixture, const std::string& repository) {
  const auto requests = fixture.registry.requests();
  return static_cast<int>(std::count_if(requests.begin(), requests.end(), [&](const SeenRequest& request) {
    return request.is("PUT", "/v2/" + repository + "/blobs/uploads/");
  }));
}

// Runs until as many blobs of a repository have come to the registry; the exit code says whether they came.
test::FakeRunner::Action waits_for_uploads(const BuildFixture& fixture, const std::string& repository, int count) {
  return [&fixture, repository, count](const RunCall& call) {
    for (int i = 0; i < 4000 && uploads(fixture, repository) < count; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    call.write("waited", "");
    return uploads(fixture, repository) >= count ? 0 : 1;
  };
}

// What pip does: a distribution that is large enough for a layer of its own.
void install_large(const RunCall& call, const std::string& name) {
  const std::string site = "usr/lib/python3.11/site-packages/";
  call.write(site + name + ".py", std::string(kOwnLayerBytes + 1, 'x'));
  call.write(site + name + "-1.dist-info/METADATA", "Name: " + name + "\nVersion: 1\n");
  call.write(site + name + "-1.dist-info/RECORD", name + ".py,,\n");
}

TargetSpec pushed_target(std::vector<std::string> outputs) {
  TargetSpec target;
  target.outputs = std::move(outputs);
  return target;
}

std::vector<Output> outputs_in(const TargetSpec& target) {
  std::vector<Output> outputs;
  for (const std::string& text : target.outputs) outputs.push_back(parse_output(text));
  return outputs;
}

}  // namespace

TEST_CASE("a layer goes to the registry while the next step runs, and its tag comes after the last step") {
  BuildFixture fixture;
  fixture.runner.on("wait", waits_for_uploads(fixture, "acme/app", 1));
  fixture.dockerfile("FROM scratch\nADD https://acme.example/a /\nRUN wait\n").outputs = {"type=registry"};
  fixture.fetcher.texts["https://acme.example/a"] = "text";
  fixture.build();
  CHECK(fixture.events() == Steps{"built ADD https://acme.example/a /", "built RUN wait", "pushed acme/app:1"});
  // Two layers and the config: what went ahead is not sent again.
  CHECK(uploads(fixture, "acme/app") == 3);
  CHECK(fixture.registry.broken_tags().empty());
}

TEST_CASE("the parts of a layer that is cut along packages are at the registry before their step ends") {
  BuildFixture fixture;
  std::atomic<bool> has_run = false;
  fixture.runner.on("pip", [&](const RunCall& call) {
    for (const char* name : {"numpy", "scipy", "torch"}) install_large(call, name);
    has_run = true;
    return 0;
  });
  // Between the last part and the end of the step, which tells the layers all together.
  int sent = 0;
  Steps ended = {"nothing was looked at"};
  fixture.clock.when_asked = [&] {
    if (!has_run.exchange(false)) return;
    for (int i = 0; i < 4000 && uploads(fixture, "acme/app") < 3; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    sent = uploads(fixture, "acme/app");
    ended = fixture.events();
  };
  TargetSpec& target = fixture.dockerfile("FROM base\nRUN pip\n");
  target.outputs = {"type=registry"};
  target.layers = LayerRules{LayerRules::By::package};
  const BuildResult result = fixture.build();
  REQUIRE(result.targets.at(0).images.at(0).image.parsed.layers.size() == 4);
  CHECK(sent == 3);
  CHECK(ended == Steps{});
  CHECK(fixture.events() == Steps{"built RUN pip", "pushed acme/app:1"});
  // The base and the config are left to the push.
  CHECK(uploads(fixture, "acme/app") == 5);
}

TEST_CASE("a build that fails after a layer went ahead leaves its blob at the registry and no tag") {
  BuildFixture fixture;
  fixture.runner.on("wait", waits_for_uploads(fixture, "acme/app", 1));
  fixture.runner.on("breaks", [](const RunCall&) { return 1; });
  fixture.dockerfile("FROM base\nRUN first\nRUN wait\nRUN breaks\n").outputs = {"type=registry"};
  CHECK(fixture.fail().message().starts_with("Dockerfile:4: "));
  CHECK(uploads(fixture, "acme/app") > 0);
  CHECK(fixture.registry.count("PUT", "/manifests/") == 0);
  CHECK(fixture.pushed("acme/app:1").empty());
}

TEST_CASE("nothing goes ahead of a stage that is only copied from, of a hit, and of a target that is not pushed") {
  BuildFixture fixture;
  fixture.target("app", "FROM base AS tools\nRUN tools\nFROM base\nCOPY --from=tools /ran/tools /\nRUN last\n")
      .outputs = {"type=image,push=true"};
  fixture.target("local", "FROM base\nRUN local\n").outputs = {"type=image"};
  const BuildResult result = fixture.build();
  const auto& image = result.targets.at(0).images.at(0).image;
  // The base, the two layers of the final stage, the config.
  CHECK(uploads(fixture, "acme/app") == 4);
  for (const oci::Descriptor& layer : image.parsed.layers)
    CHECK(fixture.registry.has_blob("acme/app", layer.digest.str()));
  CHECK(uploads(fixture, "acme/local") == 0);
  fixture.build();
  CHECK(uploads(fixture, "acme/app") == 4);
}

TEST_CASE("a registry that refuses a layer ahead fails no build: the push at the end sends it") {
  BuildFixture fixture;
  bool is_pushing = false;
  int refused = 0;
  fixture.registry.script([&](const SeenRequest& request, int) {
    is_pushing = is_pushing || request.path.find("/manifests/") != std::string::npos;
    if (is_pushing || request.path.find("/blobs/") == std::string::npos) return test::Reaction{};
    ++refused;
    return test::Reaction{test::Reaction::Kind::answer, {403, {}, ""}};
  });
  fixture.runner.on("wait", [&](const RunCall& call) {
    for (int i = 0; i < 4000 && fixture.registry.requests().empty(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return call.write("waited", ""), 0;
  });
  fixture.dockerfile("FROM base\nRUN first\nRUN wait\n").outputs = {"type=registry"};
  fixture.build();
  CHECK(refused > 0);
  CHECK(fixture.events() == Steps{"built RUN first", "built RUN wait", "pushed acme/app:1"});
  CHECK(fixture.registry.broken_tags().empty());
  CHECK(fixture.named() == Names{"acme/app:1"});
}

TEST_CASE("offline and with pins nothing goes ahead") {
  BuildFixture fixture;
  fixture.target("app", "FROM base\nRUN make\n").outputs = {"type=image,push=true"};
  fixture.request.settings.offline = true;
  fixture.build();
  CHECK(fixture.registry.requests().empty());
  fixture.request.settings.offline = false;
  fixture.use_machine("two");
  const std::string wrong = "sha256:" + std::string(64, '0');
  fixture.request.delivery.pins = {"app=" + fixture.reference("acme/app@" + wrong)};
  CHECK(fixture.fail().category() == Category::build);
  CHECK(fixture.registry.requests().empty());
}

TEST_CASE("layers go ahead to the repository of the first name of the first output that pushes") {
  const TargetSpec target = pushed_target(
      {"type=oci,dest=x", "type=image,name=r.io/b:1,push=true,compression=zstd", "type=image,name=r.io/c:1,push=true"});
  const auto named = early_target(target, outputs_in(target), {"r.io/a:1", "r.io/a:2"});
  REQUIRE(named.has_value());
  CHECK(named->name == "r.io/a:1");
  CHECK(named->compression == Compression::parse_text("zstd"));
  const auto by_output = early_target(target, outputs_in(target), {});
  REQUIRE(by_output.has_value());
  CHECK(by_output->name == "r.io/b:1");
}

TEST_CASE("nothing goes ahead for a target without a push, and for one without a name") {
  const TargetSpec unpushed = pushed_target({"type=image", "type=oci,dest=x"});
  CHECK_FALSE(early_target(unpushed, outputs_in(unpushed), {"r.io/a:1"}).has_value());
  const TargetSpec unnamed = pushed_target({"type=image,push=true"});
  CHECK_FALSE(early_target(unnamed, outputs_in(unnamed), {}).has_value());
}

TEST_CASE("without a compression of its output a layer goes ahead in that of its target") {
  TargetSpec target = pushed_target({"type=image,push=true"});
  target.compression = Compression::parse_text("zstd:5");
  const auto early = early_target(target, outputs_in(target), {"r.io/a:1"});
  REQUIRE(early.has_value());
  CHECK(early->compression == Compression::parse_text("zstd:5"));
}
