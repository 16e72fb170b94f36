#include "builder/build/matrix_targets.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "builder/build/build.hpp"
#include "builder/build/fleet_plan.hpp"
#include "tests/support/print_texts.hpp"

using namespace kiln;

namespace {

using Texts = std::vector<std::string>;

const oci::Platform kPlatformA = oci::Platform::parse("linux/amd64");
const oci::Platform kPlatformB = oci::Platform::parse("linux/arm64");
const std::string kDigest = "sha256:" + std::string(64, 'd');

struct PlannedFleet {
  Fleet fleet;
  Plan plan;
  std::set<std::size_t> needed;
  std::vector<TargetInputs> inputs;  // a hash begins with the number, as 32 digits
  KnownImages known;

  explicit PlannedFleet(std::vector<TargetSpec> targets, const Texts& wanted) {
    fleet.front_end = FrontEnd::image_definitions;
    fleet.targets = std::move(targets);
    fleet.sort();
    plan = plan_fleet(fleet, all_targets(fleet), {});
    std::set<std::size_t> numbers;
    for (const std::string& name : wanted) {
      for (const std::size_t number : numbers_of(plan, name)) numbers.insert(number);
    }
    needed = needed_images(plan, numbers);
    for (std::size_t i = 0; i < plan.targets.size(); ++i)
      inputs.push_back({fmt::format("{:064}", i).substr(32) + std::string(32, 'f'), ""});
  }

  // "WAVE JOB NAME PLATFORM < PARENTS", sorted, hashes without the zeros that they begin with.
  Texts described() const {
    Texts result;
    for (const MatrixTarget& target : matrix_targets(
             plan, needed, inputs, known, [](const oci::Platform& platform) { return "on-" + platform.architecture; },
             [](const TargetSpec&) { return 5.0; })) {
      std::string text = fmt::format("{} {} {} {}", target.wave, target.job == MatrixJob::index ? "index" : "bake",
                                     target.name, target.platform);
      for (const std::string& parent : target.parents) text += " < " + parent;
      for (std::size_t at = 0; (at = text.find("-0000")) != std::string::npos;)
        text.erase(at + 1, std::min(text.find_first_not_of('0', at + 1), at + 32) - at - 1);
      result.push_back(text);
    }
    std::sort(result.begin(), result.end());
    return result;
  }

  void know(std::map<std::size_t, std::vector<oci::Reference>>& images, std::size_t number) {
    const std::string& name = plan.targets[number]->target.names.front();
    images[number] = {oci::Reference::parse(name).with_digest(oci::Digest::parse(kDigest))};
  }
};

TargetSpec spec_of(const std::string& name, const std::string& dockerfile, std::vector<oci::Platform> platforms) {
  TargetSpec result;
  result.name = result.image = name;
  result.dockerfile_inline = dockerfile;
  result.platforms = std::move(platforms);
  result.tags = {"r.io/" + name + ":1"};
  return result;
}

}  // namespace

TEST_CASE("each platform is a job after its own parents, and the index one after both") {
  const PlannedFleet fleet({spec_of("base", "FROM scratch\n", {kPlatformA, kPlatformB}),
                            spec_of("app", "FROM base\n", {kPlatformA, kPlatformB})},
                           {"app"});
  // The plan's numbers: app 0 and 1, base 2 and 3.
  CHECK(fleet.described() == Texts{"0 bake base linux/amd64", "0 bake base linux/arm64",
                                   "1 bake app linux/amd64 < base=r.io/base:inputs-2-linux-amd64",
                                   "1 bake app linux/arm64 < base=r.io/base:inputs-3-linux-arm64",
                                   "1 index base linux/amd64,linux/arm64", "2 index app linux/amd64,linux/arm64"});
}

TEST_CASE("what registries have is no job: an index, or a platform whose index is to be made") {
  PlannedFleet fleet({spec_of("base", "FROM scratch\n", {kPlatformA, kPlatformB}),
                      spec_of("app", "FROM base\n", {kPlatformA, kPlatformB})},
                     {"app"});
  fleet.know(fleet.known.images, 2);
  fleet.know(fleet.known.platforms, 0);
  CHECK(fleet.described() ==
        Texts{"0 bake app linux/arm64 < base=r.io/base@" + kDigest, "1 index app linux/amd64,linux/arm64"});
  fleet.know(fleet.known.platforms, 1);
  CHECK(fleet.described() == Texts{"0 index app linux/amd64,linux/arm64"});
  fleet.know(fleet.known.images, 0);
  CHECK(fleet.described().empty());
}

TEST_CASE("a parent that is there for one platform is held to the image of that") {
  PlannedFleet fleet(
      {spec_of("base", "FROM scratch\n", {kPlatformA, kPlatformB}), spec_of("app", "FROM base\n", {kPlatformB})},
      {"app"});
  REQUIRE(fleet.plan.targets[2]->target.platform() == kPlatformB);
  fleet.know(fleet.known.platforms, 2);
  CHECK(fleet.described() == Texts{"0 bake app linux/arm64 < base=r.io/base@" + kDigest, "0 bake base linux/amd64",
                                   "1 index base linux/amd64,linux/arm64"});
}

TEST_CASE("what is built for a platform only because a child is, is part of the child's job") {
  const PlannedFleet fleet(
      {spec_of("base", "FROM scratch\n", {kPlatformA}), spec_of("app", "FROM base\n", {kPlatformA, kPlatformB})},
      {"app", "base"});
  CHECK(fleet.described() == Texts{"0 bake app linux/arm64", "0 bake base linux/amd64",
                                   "1 bake app linux/amd64 < base=r.io/base:inputs-2",
                                   "2 index app linux/amd64,linux/arm64"});
}

TEST_CASE("inputs that the hash does not decide have a tag for their platform, and one image has none") {
  PlannedFleet fleet(
      {spec_of("base", "FROM scratch\n", {kPlatformA, kPlatformB}), spec_of("one", "FROM scratch\n", {kPlatformA}),
       spec_of("app", "FROM base\nCOPY --from=one / /\n", {kPlatformA})},
      {"app"});
  for (TargetInputs& inputs : fleet.inputs) inputs.open = "it may change";
  CHECK(fleet.described() == Texts{"0 bake base linux/amd64", "0 bake base linux/arm64", "0 bake one linux/amd64",
                                   "1 bake app linux/amd64 < base=r.io/base:inputs-1-linux-amd64",
                                   "1 index base linux/amd64,linux/arm64"});
}
