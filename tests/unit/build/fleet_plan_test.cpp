#include "builder/build/fleet_plan.hpp"

#include <doctest/doctest.h>

#include "builder/build/build.hpp"
#include "tests/support/print_texts.hpp"

using namespace kiln;

namespace {

const oci::Platform kAmd64 = oci::Platform::parse("linux/amd64");
const oci::Platform kArm64 = oci::Platform::parse("linux/arm64");

TargetSpec target(const std::string& name, const std::string& dockerfile, std::vector<oci::Platform> platforms = {}) {
  TargetSpec result;
  result.name = result.image = name;
  result.dockerfile_inline = dockerfile;
  result.platforms = std::move(platforms);
  result.tags = {"r.io/" + name + ":1"};
  return result;
}

Fleet fleet(std::vector<TargetSpec> targets) {
  Fleet result;
  result.front_end = FrontEnd::image_definitions;
  result.settings.registry = "r.io";
  result.targets = std::move(targets);
  result.sort();
  return result;
}

// "NAME PLATFORM" of each target of a plan, "(for children)" behind those that nothing asked for.
std::vector<std::string> described(const Plan& plan) {
  std::vector<std::string> result;
  for (const auto& planned : plan.targets) {
    result.push_back(planned->target.name + " " + planned->target.platform().str() +
                     (planned->is_for_children ? " (for children)" : ""));
  }
  return result;
}

std::vector<std::string> parents(const Plan& plan, std::size_t number) {
  std::vector<std::string> result;
  for (const std::size_t parent : plan.targets[number]->fleet_parents)
    result.push_back(plan.targets[parent]->target.name + " " + plan.targets[parent]->target.platform().str());
  return result;
}

}  // namespace

TEST_CASE("a target of several platforms is planned once for each, and its parents too") {
  const Fleet both =
      fleet({target("app", "FROM base\n", {kAmd64, kArm64}), target("base", "FROM scratch\n", {kAmd64})});
  const Plan plan = plan_fleet(both, all_targets(both), {});
  CHECK(described(plan) == std::vector<std::string>{"app linux/amd64", "app linux/arm64", "base linux/amd64",
                                                    "base linux/arm64 (for children)"});
  CHECK(parents(plan, 0) == std::vector<std::string>{"base linux/amd64"});
  CHECK(parents(plan, 1) == std::vector<std::string>{"base linux/arm64"});
  CHECK(plan.targets[3]->target.names.empty());
  CHECK(numbers_of(plan, "app") == std::vector<std::size_t>{0, 1});
  CHECK(numbers_of(plan, "base") == std::vector<std::size_t>{2});
}

TEST_CASE("a stage FROM another platform takes its parent for that one") {
  const Fleet cross =
      fleet({target("app", "FROM --platform=linux/amd64 tools AS t\nFROM base\nCOPY --from=t / /\n", {kArm64}),
             target("base", "FROM scratch\n", {kAmd64}), target("tools", "FROM scratch\n", {kAmd64})});
  const Plan plan = plan_fleet(cross, all_targets(cross), {});
  CHECK(parents(plan, 0) == std::vector<std::string>{"tools linux/amd64", "base linux/arm64"});
}

TEST_CASE("targets that ask for no platform are built from what there is") {
  const Fleet one = fleet({target("app", "FROM base\n"), target("base", "FROM scratch\n", {kArm64})});
  const Plan plan = plan_fleet(one, all_targets(one), {});
  CHECK(plan.targets.size() == 2);
  CHECK(parents(plan, 0) == std::vector<std::string>{"base linux/arm64"});
}

TEST_CASE("the platforms of the fleet are those of targets that say none") {
  Fleet named = fleet({target("app", "FROM scratch\n")});
  named.settings.platforms = {kAmd64, kArm64};
  CHECK(described(plan_fleet(named, all_targets(named), {})) ==
        std::vector<std::string>{"app linux/amd64", "app linux/arm64"});
}

TEST_CASE("layers are compressed as the outputs of their target ask, then as its definition, its parent, the fleet") {
  Fleet sized = fleet({target("a", "FROM scratch\n"), target("b", "FROM a\n"), target("c", "FROM scratch\n")});
  sized.settings.compression = Compression::parse_text("gzip");
  sized.targets[0].compression = Compression::parse_text("zstd:5");
  sized.targets[2].outputs = {"type=image,compression=zstd,rewrite-timestamp=true"};
  const Plan plan = plan_fleet(sized, all_targets(sized), {});
  CHECK(plan.targets[0]->target.layer_compression() == Compression::parse_text("zstd:5"));
  CHECK(plan.targets[1]->target.layer_compression() == Compression::parse_text("zstd:5"));
  CHECK(plan.targets[2]->target.layer_compression() == Compression::parse_text("zstd"));
  CHECK(plan.targets[2]->target.rewrites_times);
  CHECK_FALSE(plan.targets[1]->target.rewrites_times);
}

TEST_CASE("layers are cut as the definition says, else its parent, else the fleet") {
  Fleet sized = fleet({target("a", "FROM scratch\n"), target("b", "FROM a\n"), target("c", "FROM a\n")});
  CHECK(plan_fleet(sized, all_targets(sized), {}).targets[1]->target.layer_rules() == LayerRules{});
  sized.settings.layers = LayerRules{LayerRules::By::package, 100};
  sized.targets[0].layers = LayerRules{LayerRules::By::package, 90};
  sized.targets[2].layers = LayerRules{};
  sized.targets.push_back(target("d", "FROM scratch\n"));
  const Plan plan = plan_fleet(sized, all_targets(sized), {});
  CHECK(plan.targets[0]->target.layer_rules().limit == 90);
  CHECK(plan.targets[1]->target.layer_rules() == LayerRules{LayerRules::By::package, 90});
  CHECK(plan.targets[2]->target.layer_rules() == LayerRules{});
  CHECK(plan.targets[3]->target.layer_rules() == LayerRules{LayerRules::By::package, 100});
}

TEST_CASE("images are written as target and output say") {
  TargetSpec spec = target("a", "FROM scratch\n", {kArm64});
  spec.labels = {{"l", "v"}};
  spec.profile.emplace();
  spec.profile->name = "pc";
  spec.profile->env = {{"K", "1"}};
  const Output output = parse_output("type=image,compression=zstd,oci-mediatypes=false,annotation.a=1");
  const AssemblyOptions options = assembly_options(spec, output, {5});
  CHECK(options.compression == Compression::parse_text("zstd"));
  CHECK_FALSE(options.oci_media_types);
  CHECK(options.created == 5);
  CHECK(options.platform == kArm64);
  CHECK(options.labels.at("l") == "v");
  CHECK(options.labels.at("dev.kiln.profile") == "pc");
  CHECK(options.env == spec.profile->env);
  CHECK(options.annotations == oci::Annotations{{"a", "1"}});
  CHECK(options.is_run_as_image);
  CHECK_FALSE(assembly_options(spec, parse_output("type=tar,dest=x"), {}).is_run_as_image);
}
