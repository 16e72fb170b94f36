#include "builder/definitions/bake/set_words.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/check_error.hpp"

using kiln::TargetSpec;
using Texts = std::vector<std::string>;

namespace {

std::optional<std::string> environment(const std::string& name) {
  return name == "SET" ? std::optional<std::string>("from environment") : std::nullopt;
}

// Two targets of image definitions: 'hub-pc2' of the image 'hub', and 'base'.
std::vector<TargetSpec> set(const Texts& words) {
  std::vector<TargetSpec> targets(2);
  targets[0].name = "hub-pc2";
  targets[0].image = "hub";
  targets[0].tag_templates = {"latest"};
  targets[0].tags = {"r.io/old"};
  targets[0].context = "/src";
  targets[0].dockerfile = "/src/Dockerfile";
  targets[0].secrets = {{"a", std::nullopt, "A"}};
  targets[0].args = {{"KEPT", "1"}};
  targets[1].name = targets[1].image = "base";
  const kiln::bake::SetWords set(words, {{"hub-pc2", "hub-pc2"}, {"hub", "hub-pc2"}, {"base", "base"}}, environment);
  kiln::bake::set_in_targets(set, targets, "/here");
  return targets;
}

}  // namespace

TEST_CASE("a word says target, key, name and value") {
  CHECK(set({"hub.labels.a.b=x=y"})[0].labels == std::map<std::string, std::string>{{"a.b", "x=y"}});
}

TEST_CASE("an argument without a value takes the environment's, or is left alone") {
  CHECK(set({"hub.args.SET"})[0].args ==
        std::map<std::string, std::string>{{"KEPT", "1"}, {"SET", "from environment"}});
  CHECK(set({"hub.args.UNSET"})[0].args == std::map<std::string, std::string>{{"KEPT", "1"}});
}

TEST_CASE("what is no list takes a value that is to be added as its value, and this is said") {
  CHECK(set({"hub.args.KEPT+=2"})[0].args == std::map<std::string, std::string>{{"KEPT", "2"}});
  CHECK(set({"hub.target+=last"})[0].stage == "last");
  const kiln::bake::SetWords words({"hub.args.KEPT+=2", "hub.tags+=x:2"}, {{"hub", "hub"}}, {});
  CHECK(words.warnings() ==
        std::vector<std::string>{"--set 'hub.args.KEPT+=2': 'args' is no list, so '+=' counts as '='"});
}

TEST_CASE("words that say nothing kiln can do are refused") {
  const auto check = [](const char* word, const char* message) {
    CHECK_ERROR(set({word}), kiln::Category::usage, message);
  };
  check("hub", "--set 'hub': expected TARGET.KEY=VALUE");
  check("hub.argz.A=1", "--set 'hub.argz.A=1': unknown key 'argz'; did you mean 'args'?");
  check("hub.args=1", "--set 'hub.args=1': expected hub.args.NAME=VALUE");
  check("hub.target.x=1", "--set 'hub.target.x=1': 'target' takes no name; expected hub.target=VALUE");
  check("hub.resources.memory+=1g",
        "--set 'hub.resources.memory+=1g': resources.NAME takes no '+='; say hub.resources.memory=VALUE");
  check("hub.secret.b+=env=B", "--set 'hub.secret.b+=env=B': secret.NAME takes no '+='; say hub.secret.b=VALUE");
  check("hub.tags", "--set 'hub.tags' has no value; expected hub.tags=VALUE");
  check("hub.policy=filename=x",
        "target 'hub-pc2': kiln does not honour 'policy': it knows no source policies; pin the images by digest");
  check("hub.secret.b=env=B", "--set 'hub.secret.b=env=B': the target has no secret 'b'");
}

TEST_CASE("a description and an inline Dockerfile cannot be set, as in buildx") {
  for (const char* word : {"hub.description=x", "hub.dockerfile-inline=FROM x"}) {
    CHECK_ERROR(set({word}), kiln::Category::usage, doctest::Contains("unknown key"));
  }
}

TEST_CASE("an image's name, a target's name and a glob are patterns") {
  for (const char* word : {"hub.args.A=1", "hub-pc2.args.A=1", "h*.args.A=1"}) {
    const auto targets = set({word});
    CHECK(targets[0].args.count("A") == 1);
    CHECK(targets[1].args.empty());
  }
  CHECK_ERROR(set({"bas.args.A=1"}), kiln::Category::usage,
              "--set 'bas.args.A=1': no target matches 'bas'; did you mean 'base'?");
}

TEST_CASE("values replace, with + they add to lists, and an empty one clears them") {
  const auto replaced = set({"hub.tags=r.io/a", "hub.tag=r.io/b"})[0];
  CHECK(replaced.tags == Texts{"r.io/a", "r.io/b"});
  CHECK(replaced.tag_templates.empty());
  const auto added = set({"hub.tags+=r.io/a"})[0];
  CHECK(added.tags == Texts{"r.io/old", "r.io/a"});
  CHECK(added.tag_templates == Texts{"latest"});
  CHECK(set({"hub.secrets=id=b"})[0].secrets.size() == 1);
  CHECK(set({"hub.secrets+=id=b"})[0].secrets.size() == 2);
  CHECK(set({"hub.secret.a=env=B"})[0].secrets.at(0).environment == "B");
  CHECK(set({"hub.secret="})[0].secrets.empty());
}

TEST_CASE("paths of --set are taken from the working directory, a Dockerfile from its context") {
  const auto target = set({"hub.context=app", "hub.dockerfile=D", "hub.contexts.lib=lib"})[0];
  CHECK(target.context == "/here/app");
  CHECK(target.dockerfile == "/here/app/D");
  CHECK(target.contexts.at("lib") == "/here/lib");
  CHECK(set({"hub.dockerfile=D"})[0].dockerfile == "/src/D");
}

TEST_CASE("flags are words of Go, platforms and networks are checked") {
  CHECK(set({"hub.no-cache=true"})[0].no_cache);
  CHECK(set({"hub.pull=1"})[0].pull);
  CHECK_ERROR(set({"hub.pull=yes"}), kiln::Category::usage, "--set 'hub.pull=yes': expected true or false, got 'yes'");
  CHECK(set({"hub.platform=linux/amd64,linux/arm64"})[0].platforms.size() == 2);
  CHECK_ERROR(set({"hub.platform=moon/x!"}), kiln::Category::usage,
              "platform 'moon/x!': malformed, expected OS/ARCHITECTURE[/VARIANT] such as linux/amd64");
  CHECK(set({"hub.network=none", "hub.target=s"})[0].network == kiln::NetworkMode::none);
}

TEST_CASE("push and load mean outputs") {
  CHECK(set({"hub.push=true"})[0].outputs == Texts{"type=image,push=true"});
  CHECK(set({"hub.output=type=registry", "hub.push=false"})[0].outputs.empty());
  CHECK(set({"hub.load=true"})[0].outputs == Texts{"type=docker"});
}
