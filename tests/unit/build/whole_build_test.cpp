// Builds that go well, from the request to what is delivered: the exact steps, and the order of what is done with
// images.
#include <doctest/doctest.h>

#include <algorithm>

#include "base/error.hpp"
#include "builder/cache/build_record.hpp"
#include "registry/store/image_names.hpp"
#include "tests/support/check_error.hpp"
#include "tests/unit/build/build_fixture.hpp"

using namespace kiln;
using test::BuildFixture;
using test::Names;
using test::RunCall;
using test::Steps;

namespace {

oci::Manifest manifest_of(BuildFixture& fixture, const oci::Descriptor& descriptor) {
  return oci::parse_manifest(fixture.store().read(descriptor.digest), "the image");
}

std::size_t records_of(BuildFixture& fixture) { return BuildRecordStore(fixture.store().home().builds()).ids().size(); }

const oci::Platform kAmd64 = oci::Platform::parse("linux/amd64");
const oci::Platform kArm64 = oci::Platform::parse("linux/arm64");

}  // namespace

TEST_CASE("kiln build executes its steps once, names the image in the store, and finds the steps again") {
  BuildFixture fixture;
  fixture.context("a", "1");
  fixture.dockerfile("FROM base\nCOPY a /\nRUN make\n");
  const BuildResult first = fixture.build();
  CHECK(fixture.events() == Steps{"built COPY a /", "built RUN make"});
  CHECK(fixture.ran() == Steps{"make"});
  CHECK(fixture.named() == Names{"acme/app:1"});
  CHECK(fixture.registry.requests().empty());
  const BuildResult second = fixture.build();
  CHECK(fixture.events() == Steps{"hit COPY a /", "hit RUN make"});
  CHECK(fixture.ran().empty());
  CHECK(first.targets.at(0).root.digest == second.targets.at(0).root.digest);
}

TEST_CASE("only what a changed file goes into is executed again") {
  BuildFixture fixture;
  fixture.context("a", "1");
  fixture.context("b", "1");
  fixture.dockerfile("FROM base AS one\nCOPY a /\nRUN one\nFROM base\nCOPY b /\nRUN two\nCOPY --from=one /ran/one /\n");
  fixture.build();
  fixture.ran();
  fixture.context("b", "2");
  fixture.build();
  CHECK(fixture.steps() ==
        Steps{"hit COPY a /", "hit RUN one", "built COPY b /", "built RUN two", "hit COPY --from=one /ran/one /"});
  CHECK(fixture.ran() == Steps{"two"});
}

TEST_CASE("a display hears which steps are executed and why, and what earlier builds took") {
  BuildFixture fixture;
  fixture.context("a", "1");
  fixture.target("app", "FROM base\nCOPY a /\nRUN make\n");
  fixture.target("tool", "FROM app\nRUN test\n").contexts = {{"app", "target:app"}};
  fixture.build();
  CHECK(fixture.heard().missed().size() == 3);
  for (const ExpectedStage& stage : fixture.heard().expected()) CHECK(stage.seconds.empty());
  fixture.context("a", "2");
  fixture.build();
  const auto missed = fixture.heard().missed();
  REQUIRE(missed.size() == 3);
  CHECK(missed[0] == "COPY a /: file a changed");
  const auto expected = fixture.heard().expected();
  REQUIRE(expected.size() == 2);
  CHECK(expected[0].stage.target == "app");
  CHECK(expected[0].seconds.size() == 2);
  CHECK(expected[1].stage.target == "tool");
  CHECK(expected[1].needs.front() == 0);
  fixture.build();
  CHECK(fixture.heard().missed().empty());
}

TEST_CASE("a stage that waits for another says so, and when it goes on") {
  BuildFixture fixture;
  fixture.target("app", "FROM base\nRUN make\n");
  fixture.target("tool", "FROM app\nRUN test\n").contexts = {{"app", "target:app"}};
  fixture.build();
  const auto waits = fixture.heard().waits();
  REQUIRE(waits.size() % 2 == 0);  // none where the other was solved first
  for (std::size_t i = 0; i < waits.size(); i += 2) {
    CHECK(waits[i] == "tool waits for app");
    CHECK(waits[i + 1] == "tool goes on");
  }
}

TEST_CASE("a result tells the targets in the order of the request, with their names, images and roots") {
  BuildFixture fixture;
  fixture.target("a", "FROM base\nRUN a\n");
  fixture.target("b", "FROM base\nRUN b\n");
  const BuildResult result = fixture.build({"b", "a"});
  REQUIRE(result.targets.size() == 2);
  CHECK(result.targets[0].name == "b");
  CHECK(result.targets[1].name == "a");
  CHECK(result.targets[1].names == Names{fixture.reference("acme/a:1")});
  REQUIRE(result.targets[1].images.size() == 1);
  CHECK(result.targets[1].images[0].target->name == "a");
  CHECK(result.targets[1].root.digest == find_image(fixture.store(), fixture.reference("acme/a:1"))->digest);
  CHECK(fixture.built_calls == 1);
}

TEST_CASE("files are written first, then the image is pushed, and it gets its name in the store last") {
  BuildFixture fixture;
  fixture.dockerfile("FROM base\nRUN make\n").outputs = {"type=registry",
                                                         "type=oci,dest=" + fixture.out("app.tar").native(),
                                                         "type=local,dest=" + fixture.out("files").native()};
  bool was_exported = false;
  Names named_before = {"not asked"};
  fixture.when_push_begins([&] {
    was_exported = fs::exists(fixture.out("app.tar")) && fs::exists(fixture.out("files/ran/make"));
    named_before = fixture.named();
  });
  const BuildResult result = fixture.build();
  CHECK(was_exported);
  CHECK(named_before.empty());
  CHECK(fixture.events() == Steps{"built RUN make", "pushed acme/app:1"});
  CHECK(fixture.pushed("acme/app:1") == result.targets.at(0).root.digest.str());
  CHECK(fixture.named() == Names{"acme/app:1"});
  CHECK(fixture.registry.broken_tags().empty());
}

TEST_CASE("an image that the registry has is not sent again") {
  BuildFixture fixture;
  fixture.dockerfile("FROM base\nRUN make\n").outputs = {"type=registry"};
  fixture.build();
  const auto received = fixture.registry.blob_bytes_received();
  fixture.build();
  CHECK(fixture.events() == Steps{"hit RUN make", "unchanged acme/app:1"});
  CHECK(fixture.registry.blob_bytes_received() == received);
}

TEST_CASE("an image of several names is pushed and named under all of them") {
  BuildFixture fixture;
  TargetSpec& target = fixture.dockerfile("FROM base\nRUN make\n");
  target.tags = {fixture.reference("acme/app:1"), fixture.reference("acme/app:latest"),
                 fixture.reference("acme/other:1")};
  target.outputs = {"type=registry"};
  fixture.build();
  CHECK(fixture.named() == Names{"acme/app:1", "acme/app:latest", "acme/other:1"});
  CHECK(fixture.pushed("acme/app:1") == fixture.pushed("acme/app:latest"));
  CHECK(fixture.pushed("acme/app:1") == fixture.pushed("acme/other:1"));
  CHECK_FALSE(fixture.pushed("acme/app:1").empty());
}

TEST_CASE("--push of a request pushes every target, all before any is named") {
  BuildFixture fixture;
  fixture.target("a", "FROM base\nRUN a\n");
  fixture.target("b", "FROM base\nRUN b\n");
  fixture.request.delivery.push = true;
  std::vector<Names> named;
  fixture.registry.script([&](const test::SeenRequest& request, int) {
    if (request.is("PUT", "/manifests/")) named.push_back(fixture.named());
    return test::Reaction{};
  });
  fixture.build();
  CHECK(named == std::vector<Names>{{}, {}});
  CHECK(fixture.named() == Names{"acme/a:1", "acme/b:1"});
  CHECK(fixture.pushed("acme/a:1") != fixture.pushed("acme/b:1"));
}

TEST_CASE("what is only cached has steps and no name") {
  BuildFixture fixture;
  fixture.dockerfile("FROM base\nRUN make\n").outputs = {"type=cacheonly"};
  fixture.build();
  CHECK(fixture.steps() == Steps{"built RUN make"});
  CHECK(fixture.named().empty());
  fixture.build();
  CHECK(fixture.steps() == Steps{"hit RUN make"});
}

TEST_CASE("an output may leave the store without a name") {
  BuildFixture fixture;
  fixture.dockerfile("FROM base\nRUN make\n").outputs = {"type=image,push=true,store=false"};
  fixture.build();
  CHECK_FALSE(fixture.pushed("acme/app:1").empty());
  CHECK(fixture.named().empty());
}

TEST_CASE("files are exported with the contents that the steps made") {
  BuildFixture fixture;
  fixture.context("in", "text");
  fixture.runner.on("make", [](const RunCall& call) { return call.write("made", call.read("in").value_or("")), 0; });
  fixture.dockerfile("FROM base\nCOPY in /\nRUN make\n").outputs = {"type=local,dest=" + fixture.out("files").native()};
  fixture.build();
  CHECK(read_file(fixture.out("files/made")) == "text");
  CHECK(read_file(fixture.out("files/base")) == "file of the base");
  CHECK(fixture.named().empty());
}

TEST_CASE("two targets that share a stage execute it once, and its layers are in both images") {
  BuildFixture fixture;
  const std::string common = "FROM base AS common\nRUN common\nFROM common\n";
  fixture.target("a", common + "RUN a\n");
  fixture.target("b", common + "RUN b\n");
  const BuildResult result = fixture.build();
  CHECK(fixture.ran() == Steps{"a", "b", "common"});
  Steps steps = fixture.steps();
  std::sort(steps.begin(), steps.end());
  CHECK(steps == Steps{"built RUN a", "built RUN b", "built RUN common", "hit RUN common"});
  const auto a = manifest_of(fixture, result.targets.at(0).root).layers;
  const auto b = manifest_of(fixture, result.targets.at(1).root).layers;
  REQUIRE(a.size() == 3);
  REQUIRE(b.size() == 3);
  CHECK(a[1].digest == b[1].digest);
  CHECK(a[2].digest != b[2].digest);
}

TEST_CASE("a layer that two pushed images share is uploaded once and mounted for the other") {
  BuildFixture fixture;
  const std::string common = "FROM base AS common\nRUN common\nFROM common\n";
  fixture.target("a", common + "RUN a\n");
  fixture.target("b", common + "RUN b\n");
  fixture.request.delivery.push = true;
  const BuildResult result = fixture.build();
  const std::string shared = manifest_of(fixture, result.targets.at(0).root).layers.at(1).digest.str();
  CHECK(fixture.registry.has_blob("acme/a", shared));
  CHECK(fixture.registry.has_blob("acme/b", shared));
  int uploads = 0;
  for (const test::SeenRequest& request : fixture.registry.requests()) {
    const bool is_upload = request.method == "PUT" && request.query.find(shared.substr(7)) != std::string::npos;
    uploads += is_upload ? 1 : 0;
  }
  CHECK(uploads == 1);
}

TEST_CASE("a target is built on another of the fleet, which is built and not named where it is not wanted") {
  BuildFixture fixture;
  fixture.target("parent", "FROM base\nRUN parent\n");
  fixture.target("child", "FROM parent\nRUN child\n").contexts = {{"parent", "target:parent"}};
  const BuildResult result = fixture.build({"child"});
  CHECK(fixture.events() == Steps{"built RUN parent", "built RUN child"});
  CHECK(fixture.named() == Names{"acme/child:1"});
  REQUIRE(result.targets.size() == 1);
  CHECK(manifest_of(fixture, result.targets[0].root).layers.size() == 3);
  fixture.build();
  CHECK(fixture.ran() == Steps{"child", "parent"});
  CHECK(fixture.named() == Names{"acme/child:1", "acme/parent:1"});
}

TEST_CASE("an image for several platforms has each one's steps and is one index under one name") {
  BuildFixture fixture;
  fixture.runner.on("make", [](const RunCall& call) { return call.write("made", "x"), 0; });
  TargetSpec& target = fixture.dockerfile("FROM base\nARG TARGETARCH\nRUN --network=none echo $TARGETARCH\n");
  target.platforms = {kAmd64, kArm64};
  target.outputs = {"type=registry"};
  const BuildResult result = fixture.build();
  CHECK(fixture.steps().size() == 2);
  CHECK(fixture.ran().size() == 2);
  REQUIRE(result.targets.at(0).images.size() == 2);
  const auto index = oci::parse_index(fixture.store().read(result.targets[0].root.digest), "the index");
  REQUIRE(index.manifests.size() == 2);
  CHECK(index.manifests[0].digest == result.targets[0].images[0].image.manifest.digest);
  CHECK(result.targets[0].images[0].image.image.platform == kAmd64);
  CHECK(result.targets[0].images[1].image.image.platform == kArm64);
  CHECK(fixture.pushed("acme/app:1") == result.targets[0].root.digest.str());
  CHECK(fixture.registry.broken_tags().empty());
  CHECK(fixture.named() == Names{"acme/app:1"});
  fixture.build();
  CHECK(fixture.ran().empty());
}

TEST_CASE("a step that both platforms have in common is executed for each, since its base is another image") {
  BuildFixture fixture;
  fixture.context("a", "1");
  fixture.dockerfile("FROM scratch\nCOPY a /\n").platforms = {kAmd64, kArm64};
  const BuildResult result = fixture.build();
  const auto& images = result.targets.at(0).images;
  REQUIRE(images.size() == 2);
  // The layer is the same bytes, whatever the platform: it is in the store once.
  CHECK(images[0].image.layers.at(0).value.diff_id == images[1].image.layers.at(0).value.diff_id);
  CHECK(images[0].image.manifest.digest != images[1].image.manifest.digest);
}

TEST_CASE("bases are asked for anew where the target or the request says pull, else where needed") {
  BuildFixture fixture;
  fixture.bases.add("other", {{"x", "y"}});
  fixture.target("a", "FROM base\nRUN a\n").pull = true;
  fixture.target("b", "FROM other\nRUN b\n");
  fixture.build();
  const Steps asked = fixture.bases.take_asked();
  CHECK(std::count(asked.begin(), asked.end(), "base anew") > 0);
  CHECK(std::count(asked.begin(), asked.end(), "base") == 0);
  CHECK(std::count(asked.begin(), asked.end(), "other") > 0);
  CHECK(std::count(asked.begin(), asked.end(), "other anew") == 0);
  fixture.request.settings.bases.pull = true;
  fixture.build();
  const Steps anew = fixture.bases.take_asked();
  CHECK(std::all_of(anew.begin(), anew.end(), [](const std::string& one) { return one.ends_with(" anew"); }));
}

TEST_CASE("pull of a base that is the same executes nothing") {
  BuildFixture fixture;
  fixture.dockerfile("FROM base\nRUN make\n").pull = true;
  fixture.build();
  fixture.build();
  CHECK(fixture.steps() == Steps{"hit RUN make"});
  fixture.bases.add("base", {{"base", "another file"}});
  fixture.build();
  CHECK(fixture.steps() == Steps{"built RUN make"});
}

TEST_CASE(
    "no-cache-filter executes the steps of its stages alone, and what their layers go into only if they changed") {
  BuildFixture fixture;
  TargetSpec& target = fixture.dockerfile(
      "FROM base AS tools\nRUN tools\nFROM base AS app\nRUN app\nFROM app\nCOPY --from=tools /ran/tools /\nRUN last\n");
  fixture.build();
  fixture.ran();
  target.no_cache_stages = {"tools"};
  fixture.build();
  CHECK(fixture.ran() == Steps{"tools"});
  CHECK(fixture.reason_of("RUN tools") == "the cache was not to be used");
  CHECK(fixture.steps() ==
        Steps{"hit RUN app", "hit COPY --from=tools /ran/tools /", "hit RUN last", "built RUN tools"});
}

TEST_CASE("no-cache of one target leaves the other to the cache") {
  BuildFixture fixture;
  fixture.target("a", "FROM base\nRUN a\n");
  fixture.target("b", "FROM base\nRUN b\n");
  fixture.build();
  fixture.ran();
  fixture.target("a", "FROM base\nRUN a\n").no_cache = true;
  fixture.build();
  CHECK(fixture.ran() == Steps{"a"});
  CHECK(fixture.steps() == Steps{"built RUN a", "hit RUN b"});
}

TEST_CASE("another machine has the steps from the shared cache, and the layers of what it exports") {
  BuildFixture fixture;
  fixture.share();
  fixture.context("a", "1");
  fixture.dockerfile("FROM base\nCOPY a /\nRUN make\n");
  const BuildResult first = fixture.build();
  fixture.ran();
  fixture.use_machine("two");
  const BuildResult second = fixture.build();
  CHECK(fixture.steps() == Steps{"hit COPY a /", "hit RUN make"});
  CHECK(fixture.ran().empty());
  CHECK(first.targets.at(0).root.digest == second.targets.at(0).root.digest);
  CHECK(fixture.named() == Names{"acme/app:1"});
  for (const oci::Descriptor& layer : manifest_of(fixture, second.targets.at(0).root).layers)
    CHECK(fixture.store().has(layer.digest));
}

TEST_CASE("a cache that is only read is left as it is") {
  BuildFixture fixture;
  fixture.share();
  fixture.request.settings.caches.read_only = true;
  fixture.dockerfile("FROM base\nRUN make\n");
  fixture.build();
  CHECK_FALSE(fs::exists(fixture.shared_blobs()));
  fixture.use_machine("two");
  fixture.build();
  CHECK(fixture.steps() == Steps{"built RUN make"});
}

TEST_CASE("mode=min shares the layers of images and not those of stages that are only copied from") {
  BuildFixture fixture;
  fixture.share(CacheMode::min);
  fixture.runner.on("big", [](const RunCall& call) { return call.write("big", "b"), call.write("small", "s"), 0; });
  fixture.dockerfile("FROM base AS one\nRUN big\nFROM base\nCOPY --from=one /small /\n");
  fixture.build();
  fixture.ran();
  fixture.use_machine("two");
  fixture.build();
  CHECK(fixture.steps() == Steps{"hit RUN big", "hit COPY --from=one /small /"});
  CHECK(fixture.ran().empty());
  fixture.use_machine("three");
  fixture.dockerfile("FROM base AS one\nRUN big\nFROM base\nCOPY --from=one /small /\nCOPY --from=one /big /\n");
  fixture.build();
  CHECK(fixture.ran() == Steps{"big"});
}

TEST_CASE("a build is recorded and reported by the clock of its host") {
  BuildFixture fixture;
  fixture.runner.on("make", [&](const RunCall& call) { return fixture.clock.pass(7), call.write("x", ""), 0; });
  fixture.dockerfile("FROM base\nRUN make\n");
  const BuildResult result = fixture.build();
  CHECK(result.report.created == 1'700'000'007);
  CHECK(result.report.seconds == 7);
  CHECK(result.report.kiln_version == "1.2.3");
  CHECK(records_of(fixture) == 1);
  fixture.request.is_reported = false;
  fixture.build();
  CHECK(records_of(fixture) == 1);
}

TEST_CASE("a pin that holds is no obstacle, and one that does not keeps everything from being sent") {
  BuildFixture fixture;
  fixture.target("app", "FROM base\nRUN make\n").outputs = {"type=registry"};
  const BuildResult result = fixture.build();
  const std::string digest = result.targets.at(0).root.digest.str();
  fixture.request.delivery.pins = {"app=" + fixture.reference("acme/app@" + digest)};
  fixture.build();
  CHECK(fixture.steps() == Steps{"hit RUN make"});

  fixture.target("app", "FROM base\nRUN make otherwise\n").outputs = {"type=registry"};
  fixture.use_machine("two");
  const auto received = fixture.registry.blob_bytes_received();
  CHECK_ERROR(fixture.build(), Category::build, doctest::Contains("but is pinned to"));
  CHECK(fixture.steps() == Steps{"built RUN make otherwise"});
  CHECK(fixture.registry.blob_bytes_received() == received);
  CHECK(fixture.pushed("acme/app:1") == digest);
  CHECK(fixture.named().empty());
}

TEST_CASE("an image that is larger than its definition allows is neither pushed nor named") {
  BuildFixture fixture;
  TargetSpec& target = fixture.target("app", "FROM base\nRUN make\n");
  target.size_limit_bytes = 10;
  target.outputs = {"type=image,push=true"};
  CHECK_ERROR(fixture.build(), Category::build, doctest::Contains("app"));
  CHECK(fixture.steps() == Steps{"built RUN make"});
  CHECK(fixture.named().empty());
  CHECK(fixture.pushed("acme/app:1").empty());
  CHECK(fixture.registry.count("PUT", "/manifests/") == 0);
}

TEST_CASE("offline a push is remembered, nothing is asked, and the image has its name in the store") {
  BuildFixture fixture;
  fixture.request.settings.offline = true;
  fixture.dockerfile("FROM base\nRUN make\n").outputs = {"type=registry"};
  fixture.build();
  CHECK(fixture.remembered() == Names{"acme/app:1"});
  CHECK(fixture.registry.requests().empty());
  CHECK(fixture.named() == Names{"acme/app:1"});
  fixture.request.settings.offline = false;
  fixture.build();
  CHECK(fixture.events() == Steps{"hit RUN make", "pushed acme/app:1"});
  CHECK(fixture.remembered().empty());
}

TEST_CASE("the tag of an image's inputs comes after the image's own, once the cache is written") {
  BuildFixture fixture;
  fixture.share();
  fixture.request.settings.caches.from.clear();  // a cache that is read too is written by each step
  fixture.context("a", "1");
  fixture.target("app", "FROM scratch\nCOPY a /\n");
  fixture.request.delivery.push = true;
  fixture.request.delivery.inputs_tag = true;
  std::vector<bool> was_cached;
  fixture.registry.script([&](const test::SeenRequest& request, int) {
    if (request.is("PUT", "/manifests/")) was_cached.push_back(fs::exists(fixture.shared_blobs()));
    return test::Reaction{};
  });
  fixture.build();
  CHECK(was_cached == std::vector<bool>{false, true});
  const Steps events = fixture.events();
  REQUIRE(events.size() == 3);
  CHECK(events[1] == "pushed acme/app:1");
  CHECK(events[2].starts_with("pushed acme/app:inputs-"));
}

TEST_CASE("a forecast says what a build does next, and does nothing") {
  BuildFixture fixture;
  fixture.context("a", "1");
  fixture.target("app", "FROM base\nCOPY a /\nRUN make\n").outputs = {"type=registry"};
  CHECK(fixture.foresee() == Steps{"build COPY a /", "unknown RUN make"});
  CHECK(fixture.ran().empty());
  CHECK(fixture.named().empty());
  fixture.build();
  fixture.ran();
  CHECK(fixture.foresee() == Steps{"hit COPY a /", "hit RUN make"});
  fixture.context("a", "2");
  const int requests = static_cast<int>(fixture.registry.requests().size());
  CHECK(fixture.foresee() == Steps{"build COPY a /", "unknown RUN make"});
  CHECK(static_cast<int>(fixture.registry.requests().size()) == requests);
  CHECK(fixture.ran().empty());
  CHECK(records_of(fixture) == 1);
}

TEST_CASE("labels and compression of a target are those of the image that is delivered") {
  BuildFixture fixture;
  TargetSpec& target = fixture.dockerfile("FROM scratch\nADD https://acme.example/a /\n");
  fixture.fetcher.texts["https://acme.example/a"] = "text";
  target.labels = {{"l", "v"}};
  target.compression = Compression::parse_text("zstd");
  const BuildResult result = fixture.build();
  const oci::Manifest manifest = manifest_of(fixture, result.targets.at(0).root);
  REQUIRE(manifest.layers.size() == 1);
  CHECK(manifest.layers[0].media_type == "application/vnd.oci.image.layer.v1.tar+zstd");
  CHECK(result.targets[0].images.at(0).image.image.config.labels.at("l") == "v");
}
