// Layers that were pushed, and pruned from the store since: a push of the same ones takes them from the registry.
#include <doctest/doctest.h>

#include <algorithm>

#include "base/error.hpp"
#include "builder/packages/layer_cut.hpp"
#include "registry/store/garbage.hpp"
#include "registry/store/image_names.hpp"
#include "tests/unit/build/build_fixture.hpp"

using namespace kiln;
using test::BuildFixture;
using test::RunCall;
using test::Steps;

namespace {

// A fixture where "pip" and "pip again" install two packages that have layers of their own, and write a file more.
struct PushedPackages {
  PushedPackages() {
    for (const std::string command : {"pip", "pip again"}) {
      fixture.runner.on(command, [command](const RunCall& call) {
        install(call, "numpy", 'x');
        install(call, "torch", 'x');
        return call.write("etc/own", command), 0;
      });
    }
    run("pip");
    first = fixture.build();
  }

  static void install(const RunCall& call, const std::string& name, char content) {
    const std::string site = "usr/lib/python3.11/site-packages/";
    call.write(site + name + ".py", std::string(kOwnLayerBytes + 1, content));
    call.write(site + name + "-1.dist-info/METADATA", "Name: " + name + "\nVersion: 1\n");
    call.write(site + name + "-1.dist-info/RECORD", name + ".py,,\n");
  }
  void run(const std::string& command) {
    TargetSpec& target = fixture.dockerfile("FROM base\nRUN " + command + "\n");
    target.outputs = {"type=registry"};
    target.layers = LayerRules{LayerRules::By::package};
  }
  // Takes all that nothing names from the store.
  void prune() {
    ContentStore store(HomeLayout::open(fixture.home()));
    std::vector<std::string> names;
    for (const NamedImage& image : named_images(store)) names.push_back(image.name);
    unpublish_images(store, names);
    collect_garbage(
        store, [] { return std::set<oci::Digest>(); }, DryRun::no);
  }
  bool has(const oci::Digest& blob) const { return ContentStore(HomeLayout::open(fixture.home())).has(blob); }
  int uploads() const { return fixture.registry.count("PUT", "/v2/acme/app/blobs/uploads/"); }
  static std::vector<oci::Digest> layers(const BuildResult& result) {
    std::vector<oci::Digest> digests;
    for (const oci::Descriptor& layer : result.targets.at(0).images.at(0).image.parsed.layers)
      digests.push_back(layer.digest);
    return digests;
  }

  BuildFixture fixture;
  BuildResult first;
};

}  // namespace

TEST_CASE("layers that the registry alone has are neither compressed nor sent, though the step is executed") {
  PushedPackages pushed;
  const auto before = PushedPackages::layers(pushed.first);
  REQUIRE(before.size() == 4);
  pushed.prune();
  CHECK_FALSE(pushed.has(before[1]));
  const int uploads = pushed.uploads();
  pushed.run("pip again");
  const BuildResult second = pushed.fixture.build();
  CHECK(pushed.fixture.steps() == Steps{"built RUN pip again"});
  CHECK(pushed.fixture.heard().output() == "2 of 3 layers are at the registry already\n");
  const auto after = PushedPackages::layers(second);
  REQUIRE(after.size() == 4);
  for (const std::size_t i : {1U, 2U}) {
    CHECK(after[i] == before[i]);
    CHECK_FALSE(pushed.has(after[i]));
  }
  CHECK(after[3] != before[3]);
  CHECK(pushed.has(after[3]));
  // The rest and the config; the base was there.
  CHECK(pushed.uploads() == uploads + 2);
  CHECK(pushed.fixture.registry.broken_tags().empty());

  // The next build finds the step, and the one after it, which needs the layers here, brings them.
  CHECK(pushed.fixture.build().targets.at(0).root.digest == second.targets.at(0).root.digest);
  CHECK(pushed.fixture.steps() == Steps{"hit RUN pip again"});
  pushed.fixture.request.fleet.targets.front().outputs = {"type=oci,dest=" + pushed.fixture.out("app.tar").native()};
  pushed.fixture.build();
  CHECK(pushed.fixture.steps() == Steps{"hit RUN pip again"});
  CHECK(pushed.has(after[1]));
}

TEST_CASE("layers that the registry lost after they were pruned are made and sent again") {
  PushedPackages pushed;
  const auto before = PushedPackages::layers(pushed.first);
  pushed.prune();
  pushed.fixture.registry.drop_blob("acme/app", before[1].str());
  pushed.run("pip again");
  const BuildResult second = pushed.fixture.build();
  CHECK(pushed.fixture.heard().output() == "1 of 3 layers are at the registry already\n");
  CHECK(PushedPackages::layers(second)[1] == before[1]);
  CHECK(pushed.has(before[1]));
  CHECK(pushed.fixture.registry.has_blob("acme/app", before[1].str()));
  CHECK(pushed.fixture.registry.broken_tags().empty());
}

TEST_CASE("of the shape of a layer at the registry and with other bytes it is another layer") {
  PushedPackages pushed;
  pushed.prune();
  pushed.fixture.runner.on("pip again", [](const RunCall& call) {
    PushedPackages::install(call, "numpy", 'x');
    PushedPackages::install(call, "torch", 'y');
    return 0;
  });
  pushed.run("pip again");
  const BuildResult second = pushed.fixture.build();
  CHECK(pushed.fixture.heard().output() == "1 of 2 layers are at the registry already\n");
  CHECK(pushed.fixture.registry.broken_tags().empty());
}

TEST_CASE("what the registry has is made where nothing is pushed there, and where it is not to be asked") {
  PushedPackages pushed;
  const auto before = PushedPackages::layers(pushed.first);
  pushed.prune();
  pushed.run("pip again");
  const std::size_t asked = pushed.fixture.registry.requests().size();
  SUBCASE("the image is kept here") { pushed.fixture.request.fleet.targets.front().outputs = {"type=image"}; }
  SUBCASE("offline") { pushed.fixture.request.settings.offline = true; }
  pushed.fixture.build();
  CHECK(pushed.fixture.heard().output().empty());
  CHECK(pushed.has(before[1]));
  CHECK(pushed.fixture.registry.requests().size() == asked);
}
