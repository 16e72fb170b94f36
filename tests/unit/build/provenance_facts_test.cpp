#include "builder/build/provenance_facts.hpp"

#include <doctest/doctest.h>

using namespace kiln;

namespace {

TargetSpec target_of(const std::string& name, const std::string& dockerfile) {
  TargetSpec target;
  target.name = name;
  target.image = name;
  target.platforms = {oci::Platform::parse("linux/amd64")};
  target.dockerfile_text = dockerfile;
  target.dockerfile_name = "/home/someone/repo/" + name + "/docker/Dockerfile";
  target.dockerfile = target.dockerfile_name;
  target.context = "/home/someone/repo/" + name;
  return target;
}

ProvenanceFacts facts_of(const TargetSpec& target, const Materials& materials = {}) {
  const Plan plan = make_plan({target}, {});
  return provenance_facts(*plan.targets[0], plan.secrets, {}, materials);
}

HeardStep heard(const std::string& target, const std::string& file, int line, StepOutcome outcome) {
  HeardStep step;
  step.view.target = target;
  step.view.stage = "stage-0";
  step.view.platform = "linux/amd64";
  step.view.file = file;
  step.view.line = line;
  step.view.text = "COPY f /";
  step.result.key = "beef";
  step.result.outcome = outcome;
  return step;
}

}  // namespace

TEST_CASE("a Dockerfile is told relative to its context, and one elsewhere by its name") {
  TargetSpec target = target_of("app", "FROM scratch\n");
  CHECK(facts_of(target).dockerfile == "docker/Dockerfile");
  target.context = "/home/someone/elsewhere";
  CHECK(facts_of(target).dockerfile == "Dockerfile");
  target.context.reset();
  CHECK(facts_of(target).dockerfile == "Dockerfile");
  target.fetched_from = {{"", "https://github.com/acme/app.git", std::string(40, 'a')}};
  target.dockerfile = fs::path("deep/Dockerfile");
  CHECK(facts_of(target).dockerfile == "deep/Dockerfile");
  target.dockerfile_inline = target.dockerfile_text;
  CHECK(facts_of(target).dockerfile == "");
}

TEST_CASE("neither a secret argument nor its value in another text is told") {
  TargetSpec target = target_of("app", "FROM scratch\n");
  target.args = {
      {"API_TOKEN", "hunter2hunter2"}, {"URL", "https://host/?t=hunter2hunter2"}, {"MIRROR", "https://u:p@host/"}};
  target.secrets = {{"npm", fs::path("/home/someone/npmrc"), std::nullopt}};
  const ProvenanceFacts facts = facts_of(target, {{"https://host/hunter2hunter2", "sha256:0"}});
  CHECK(facts.args ==
        std::map<std::string, std::string>{{"URL", "https://host/?t=***"}, {"MIRROR", "https://xxxxx:xxxxx@host/"}});
  CHECK(facts.secrets == std::vector<std::string>{"npm"});
  CHECK(facts.materials == Materials{{"https://host/***", "sha256:0"}});
}

TEST_CASE("contexts are told by what they came to, and folders by their name") {
  TargetSpec target = target_of("app", "FROM scratch\n");
  target.contexts = {
      {"lib", "/home/someone/lib"}, {"base", "docker-image://alpine:3"}, {"code", "/tmp/kiln-context-1"}};
  target.fetched_from = {{"", "https://github.com/acme/app.git", std::string(40, 'a')},
                         {"code", "https://host/code.tar", oci::sha256_of("code").str()}};
  const Material alpine = image_material("alpine:3", oci::sha256_of("alpine"), target.platform());
  const ProvenanceFacts facts = facts_of(target, {alpine});
  CHECK(facts.source.uri == "https://github.com/acme/app.git");
  CHECK(facts.source.digest == "sha1:" + std::string(40, 'a'));
  REQUIRE(facts.contexts.size() == 3);
  CHECK(facts.contexts.at("lib").uri == "");
  CHECK(facts.contexts.at("base").uri == "pkg:docker/alpine@3?platform=linux%2Famd64");
  CHECK(facts.contexts.at("base").digest == oci::sha256_of("alpine").str());
  CHECK(facts.contexts.at("code").digest == oci::sha256_of("code").str());
}

TEST_CASE("the steps of what an image is built on come first, without a path of the machine") {
  const TargetSpec base = target_of("base", "FROM scratch\nCOPY f /\n");
  const TargetSpec child = target_of("child", "FROM base\nCOPY f /\n");
  const TargetSpec other = target_of("other", "FROM scratch\n");
  FleetNames names;
  names.bare_names = BareNames::fleet_only;
  const Plan plan = make_plan({base, child, other}, names);
  HeardStep cached = heard("base", base.dockerfile_name, 2, StepOutcome::hit);
  cached.result.from = "local /srv/cache";
  HeardStep triggered = heard("child", "/somewhere/else.Dockerfile", 9, StepOutcome::hit);
  triggered.result.from = std::string(kFromThisRun);
  const auto steps =
      provenance_steps(plan, 1,
                       steps_of_targets({heard("child", child.dockerfile_name, 2, StepOutcome::built), triggered,
                                         cached, heard("other", other.dockerfile_name, 1, StepOutcome::built)}));
  REQUIRE(steps.size() == 3);
  CHECK(steps[0].target == "base");
  CHECK(steps[0].is_hit);
  CHECK(steps[0].from == "local");
  CHECK(steps[1].target == "child");
  CHECK(steps[1].file == "docker/Dockerfile");
  CHECK_FALSE(steps[1].is_hit);
  CHECK(steps[2].file == "else.Dockerfile");
  CHECK(steps[2].from == "this run");
}

TEST_CASE("what is known of the network is told of all RUN lines that an image was made by, and of no others") {
  FleetNames names;
  names.bare_names = BareNames::fleet_only;
  const Plan plan = make_plan(
      {target_of("base", "FROM scratch\n"), target_of("child", "FROM base\n"), target_of("other", "FROM base\n")},
      names);
  const auto run = [](const std::string& target, std::optional<NetworkPromise> promise) {
    HeardStep step = heard(target, "Dockerfile", 2, StepOutcome::hit);
    step.view.text = "RUN fetch";
    if (promise) step.result.network.emplace().promise = *promise;
    return step;
  };
  const auto network_of = [&](std::vector<HeardStep> steps) {
    return network_of_steps(plan, 1, steps_of_targets(std::move(steps)));
  };
  CHECK(network_of({}) == "");
  CHECK(network_of({run("child", {})}) == "");
  CHECK(network_of({heard("child", "Dockerfile", 3, StepOutcome::hit), run("child", NetworkPromise::recorded)}) ==
        "recorded");
  CHECK(network_of({run("base", NetworkPromise::recorded), run("child", NetworkPromise::logged)}) == "logged");
  CHECK(network_of({run("base", {}), run("child", NetworkPromise::recorded)}) == "incomplete");
  CHECK(network_of({run("other", {}), run("child", NetworkPromise::recorded)}) == "recorded");
}
