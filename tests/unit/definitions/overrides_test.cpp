#include "builder/definitions/overrides.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/check_error.hpp"

using kiln::Override;
using Texts = std::vector<std::string>;

namespace {

std::optional<std::string> environment(const std::string& name) {
  return name == "SET" ? std::optional<std::string>("from environment") : std::nullopt;
}

std::string refusal(const char* text) {
  try {
    kiln::parse_override(text, environment);
  } catch (const kiln::Error& error) {
    CHECK(error.category() == kiln::Category::usage);
    return error.message();
  }
  return "";
}

std::vector<kiln::TargetSpec> overridden(const Texts& set) {
  std::vector<kiln::TargetSpec> targets(2);
  targets[0].name = "hub-pc2";
  targets[0].image = "hub";
  targets[0].tag_templates = {"latest"};
  targets[0].tags = {"r.io/old"};
  targets[0].context = "/src";
  targets[0].dockerfile = "/src/Dockerfile";
  targets[0].secrets = {{"a", std::nullopt, "A"}};
  targets[1].name = targets[1].image = "base";
  std::vector<Override> overrides;
  for (const std::string& text : set) overrides.push_back(*kiln::parse_override(text, environment));
  kiln::override_targets(targets, overrides, "/here");
  return targets;
}

}  // namespace

TEST_CASE("an override says target, key, name and value") {
  const auto override = kiln::parse_override("hub.labels.a.b=x=y", environment);
  REQUIRE(override);
  CHECK(override->pattern == "hub");
  CHECK(override->key == "labels");
  CHECK(override->name == "a.b");
  CHECK(override->value == "x=y");
  CHECK(kiln::parse_override("hub.tags+=x", environment)->appends);
}

TEST_CASE("an argument without a value takes the environment's, or is left alone") {
  CHECK(kiln::parse_override("hub.args.SET", environment)->value == "from environment");
  CHECK_FALSE(kiln::parse_override("hub.args.UNSET", environment));
}

TEST_CASE("overrides that say nothing kiln can do are refused") {
  CHECK(refusal("hub") == "--set 'hub': expected TARGET.KEY=VALUE");
  CHECK(refusal("hub.argz.A=1") == "--set 'hub.argz.A=1': unknown key 'argz'; did you mean 'args'?");
  CHECK(refusal("hub.args=1") == "--set 'hub.args=1': expected hub.args.NAME=VALUE");
  CHECK(refusal("hub.target.x=1") == "--set 'hub.target.x=1': 'target' takes no name; expected hub.target=VALUE");
  CHECK(refusal("hub.context+=x") == "--set 'hub.context+=x': 'context' is no list, so '+=' adds nothing to it");
  CHECK(refusal("hub.tags") == "--set 'hub.tags' has no value; expected hub.tags=VALUE");
  CHECK(refusal("hub.policy=x") ==
        "--set 'hub.policy=x': kiln does not honour 'policy': it knows no source policies; pin the images by digest");
}

TEST_CASE("an image's name, a target's name and a glob are patterns") {
  for (const char* set : {"hub.args.A=1", "hub-pc2.args.A=1", "h*.args.A=1"}) {
    const auto targets = overridden({set});
    CHECK(targets[0].args.count("A") == 1);
    CHECK(targets[1].args.empty());
  }
  CHECK_ERROR(overridden({"bas.args.A=1"}), kiln::Category::usage, doctest::Contains("did you mean 'base'?"));
}

TEST_CASE("values replace, and with + add to lists") {
  const auto replaced = overridden({"hub.tags=r.io/a", "hub.tags=r.io/b"})[0];
  CHECK(replaced.tags == Texts{"r.io/a", "r.io/b"});
  CHECK(replaced.tag_templates.empty());
  const auto added = overridden({"hub.tags+=r.io/a"})[0];
  CHECK(added.tags == Texts{"r.io/old", "r.io/a"});
  CHECK(added.tag_templates == Texts{"latest"});
  CHECK(overridden({"hub.secrets=id=b"})[0].secrets.size() == 1);
  CHECK(overridden({"hub.secrets+=id=b"})[0].secrets.size() == 2);
}

TEST_CASE("paths are taken from the working directory, a Dockerfile from its context") {
  const auto target = overridden({"hub.context=app", "hub.dockerfile=D", "hub.contexts.lib=lib"})[0];
  CHECK(target.context == "/here/app");
  CHECK(target.dockerfile == "/here/app/D");
  CHECK(target.contexts.at("lib") == "/here/lib");
  CHECK(overridden({"hub.dockerfile=D"})[0].dockerfile == "/src/D");
}

TEST_CASE("flags are words of Go, platforms and networks are checked") {
  CHECK(overridden({"hub.no-cache=true"})[0].no_cache);
  CHECK(overridden({"hub.pull=1"})[0].pull);
  CHECK_ERROR(overridden({"hub.pull=yes"}), kiln::Category::usage,
              "--set 'hub.pull=yes': expected true or false, got 'yes'");
  CHECK(overridden({"hub.platform=linux/amd64,linux/arm64"})[0].platforms.size() == 2);
  CHECK_ERROR(overridden({"hub.platform=moon/x!"}), kiln::Category::usage,
              "platform 'moon/x!': malformed, expected OS/ARCHITECTURE[/VARIANT] such as linux/amd64");
  CHECK(overridden({"hub.network=none", "hub.target=s"})[0].network == "none");
}

TEST_CASE("push and load stand for outputs") {
  CHECK(overridden({"hub.push=true"})[0].outputs == Texts{"type=registry"});
  CHECK(overridden({"hub.output=type=registry", "hub.push=false"})[0].outputs.empty());
  CHECK(overridden({"hub.load=true"})[0].outputs == Texts{"type=docker"});
}
