#include "builder/definitions/bake_file.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "builder/definitions/select.hpp"
#include "tests/support/check_error.hpp"
#include "tests/unit/definitions/support/folder.hpp"

using Pairs = std::map<std::string, std::string>;
using Texts = std::vector<std::string>;

namespace {

struct Given {
  Pairs environment;
  Texts set;
};

kiln::Fleet load(const std::string& text, const Given& given = {}) {
  const kiln::test::Folder folder({{"docker-bake.json", text}});
  kiln::BakeFileOptions options;
  options.working_directory = "/work/dir";
  options.environment = [&](const std::string& name) {
    const auto at = given.environment.find(name);
    return at == given.environment.end() ? std::nullopt : std::optional(at->second);
  };
  for (const std::string& set : given.set) options.overrides.push_back(*kiln::parse_override(set, options.environment));
  return kiln::load_bake_file(folder.path() / "docker-bake.json", options);
}

// What follows "FILE:" in the refusal.
std::string refusal(const std::string& text, const Given& given = {}) {
  try {
    load(text, given);
  } catch (const kiln::Error& error) {
    CHECK(error.category() == kiln::Category::usage);
    const auto file = error.message().find("docker-bake.json:");
    return file == std::string::npos ? error.message() : error.message().substr(file + 17);
  }
  return "accepted";
}

Texts names(const kiln::Fleet& fleet) {
  Texts result;
  for (const auto& target : fleet.targets) result.push_back(target.name);
  return result;
}

}  // namespace

TEST_CASE("contexts are relative to where the command was started, Dockerfiles to their context") {
  const kiln::Fleet fleet = load(R"({"target": {"a": {}, "b": {"context": "src", "dockerfile": "docker/D"},
      "c": {"context": "cwd://x/..", "dockerfile": "cwd://D"}, "d": {"context": "/abs/", "dockerfile": "/else/D"}}})");
  CHECK(fleet.find("a")->context == "/work/dir");
  CHECK(fleet.find("a")->dockerfile == "/work/dir/Dockerfile");
  CHECK(fleet.find("b")->context == "/work/dir/src");
  CHECK(fleet.find("b")->dockerfile == "/work/dir/src/docker/D");
  CHECK(fleet.find("c")->context == "/work/dir");
  CHECK(fleet.find("c")->dockerfile == "/work/dir/D");
  CHECK(fleet.find("d")->context == "/abs");
  CHECK(fleet.find("d")->dockerfile == "/else/D");
  CHECK(fleet.front_end == kiln::FrontEnd::bake_file);
}

TEST_CASE("all attributes of a target are carried over") {
  const kiln::Fleet fleet = load(R"({"target": {"lib": {}, "app": {
      "description": "d", "context": "https://example.com/x.git", "dockerfile-inline": "FROM lib", "target": "final",
      "args": {"A": "1", "N": 2, "F": true, "NIL": null}, "labels": {"l": "v", "nil": null},
      "contexts": {"lib": "target:lib", "img": "docker-image://x", "dir": "d", "lay": "oci-layout://o:1", "none": ""},
      "tags": ["r.io/app:1", "r.io/app:1", ""], "platforms": ["linux/amd64", "linux/arm64"], "no-cache": true, "pull": true,
      "no-cache-filter": ["s"], "network": "none", "secret": ["id=a,src=f", {"id": "b", "env": "B"}, "type=env,id=c,src=C"],
      "ssh": ["default", {"id": "k", "paths": ["p", "/q"]}], "output": ["type=registry", {"type": "local", "dest": "a,b"}],
      "cache-from": [{"type": "registry", "ref": "r.io/c"}], "cache-to": ["type=inline"], "entitlements": ["network.host"],
      "attest": ["type=provenance,disabled=true"], "annotations": []}}})");
  const kiln::TargetSpec& app = *fleet.find("app");
  CHECK(app.description == "d");
  CHECK(app.remote_context == "https://example.com/x.git");
  CHECK_FALSE(app.context);
  CHECK(app.dockerfile_inline == "FROM lib");
  CHECK_FALSE(app.dockerfile);
  CHECK(app.stage == "final");
  CHECK(app.args == Pairs{{"A", "1"}, {"N", "2"}, {"F", "true"}});
  CHECK(app.labels == Pairs{{"l", "v"}});
  CHECK(app.contexts == Pairs{{"lib", "target:lib"},
                              {"img", "docker-image://x"},
                              {"dir", "/work/dir/d"},
                              {"lay", "oci-layout:///work/dir/o:1"}});
  CHECK(app.tags == Texts{"r.io/app:1"});
  CHECK(app.platforms.size() == 2);
  CHECK(app.no_cache);
  CHECK(app.pull);
  CHECK(app.no_cache_stages == Texts{"s"});
  CHECK(app.network == "none");
  CHECK(app.secrets == std::vector<kiln::SecretSource>{
                           {"a", "/work/dir/f", std::nullopt}, {"b", std::nullopt, "B"}, {"c", std::nullopt, "C"}});
  CHECK(app.ssh == std::vector<kiln::SshForward>{{"default", {}}, {"k", {"/work/dir/p", "/q"}}});
  CHECK(app.outputs == Texts{"type=registry", "type=local,\"dest=a,b\""});
  CHECK(app.cache_from == Texts{"type=registry,ref=r.io/c"});
  CHECK(app.cache_to == Texts{"type=inline"});
}

TEST_CASE("targets inherit: maps by key, lists whole, and a null keeps what was inherited") {
  const kiln::Fleet fleet = load(R"({"target": {
      "one": {"args": {"A": "1", "B": "1"}, "tags": ["one"], "secret": ["id=x"], "no-cache": true},
      "two": {"args": {"B": "2"}, "labels": {"l": "2"}, "secret": ["id=y"]},
      "app": {"inherits": ["one", "two"], "args": {"A": null, "C": "3"}, "tags": ["app"], "no-cache": false},
      "last": {"inherits": ["app"]}}})");
  const kiln::TargetSpec& last = *fleet.find("last");
  CHECK(last.args == Pairs{{"A", "1"}, {"B", "2"}, {"C", "3"}});
  CHECK(last.labels == Pairs{{"l", "2"}});
  CHECK(last.tags == Texts{"app"});
  CHECK(last.secrets.size() == 2);
  CHECK_FALSE(last.no_cache);
}

TEST_CASE("variables have defaults, over which the environment's values count") {
  const std::string file = R"({"variable": {"TAG": {"default": "dev"}, "N": {"default": 3}, "ON": {"default": true},
      "EMPTY": {}, "NIL": {"default": null}, "FULL": {"default": "x-${TAG}"}, "LIST": {"default": ["${TAG}", "b"]}},
      "PLAIN": "p",
      "target": {"a": {"tags": ["r/a:${TAG}"], "args": {"N": "${N}", "ON": "${ON}", "E": "[${EMPTY}]", "F": "${FULL}",
      "P": "${PLAIN}", "NIL": "${NIL}", "${TAG}_KEY": "k"}}, "b": {"tags": "${LIST}", "no-cache": "${ON}"}}})";
  const kiln::Fleet fleet = load(file);
  CHECK(fleet.find("a")->tags == Texts{"r/a:dev"});
  CHECK(fleet.find("a")->args ==
        Pairs{{"N", "3"}, {"ON", "true"}, {"E", "[]"}, {"F", "x-dev"}, {"P", "p"}, {"NIL", ""}, {"dev_KEY", "k"}});
  CHECK(fleet.find("b")->tags == Texts{"dev", "b"});
  CHECK(fleet.find("b")->no_cache);

  const Given given{{{"TAG", "1.0"}, {"N", "4"}, {"ON", "false"}, {"EMPTY", "e"}, {"PLAIN", "ignored"}}, {}};
  const kiln::Fleet changed = load(file, given);
  CHECK(changed.find("a")->args ==
        Pairs{{"N", "4"}, {"ON", "false"}, {"E", "[e]"}, {"F", "x-1.0"}, {"P", "p"}, {"NIL", ""}, {"1.0_KEY", "k"}});
  CHECK(refusal(file, {{{"N", "four"}}, {}})
            .find("the environment's value of variable 'N' is not valid: expected a number") != std::string::npos);
  CHECK(refusal(file, {{{"LIST", "a,b"}}, {}}).find("takes no lists and objects") != std::string::npos);
}

TEST_CASE("a matrix makes a target for each combination, and a group of them") {
  const kiln::Fleet fleet = load(R"({"target": {"app": {"name": "app-${tgt}-${item.os}", "inherits": ["base"],
      "matrix": {"tgt": ["lint", "test"], "item": [{"os": "a", "v": 1}, {"os": "b", "v": 2}]},
      "target": "${tgt}", "args": {"V": "${item.v}"}}, "base": {"labels": {"l": "x"}}}})");
  CHECK(names(fleet) == Texts{"app-lint-a", "app-lint-b", "app-test-a", "app-test-b", "base"});
  CHECK(fleet.find("app-test-b")->stage == "test");
  CHECK(fleet.find("app-test-b")->args == Pairs{{"V", "2"}});
  CHECK(fleet.find("app-test-b")->labels == Pairs{{"l", "x"}});
  CHECK(fleet.groups.at("app") == Texts{"app-lint-a", "app-lint-b", "app-test-a", "app-test-b"});
}

TEST_CASE("groups hold targets, groups and what a matrix made") {
  const kiln::Fleet fleet =
      load(R"({"variable": {"T": {"default": "b"}}, "group": [{"default": {"targets": ["a", "more"]}},
      {"more": {"targets": ["${T}", "m"], "description": "x"}}], "target": [{"a": {}}, {"b": {}},
      {"m": {"matrix": {"x": ["1", "2"]}, "name": "m${x}"}}, {"//": "a comment", "z": {}}], "//": "another"})");
  Texts selected;
  for (const auto* target : kiln::select_targets(fleet, {}, {})) selected.push_back(target->name);
  CHECK(selected == Texts{"a", "b", "m1", "m2"});
}

TEST_CASE("--set counts before others inherit, as in buildx") {
  const std::string file = R"({"target": {"base": {"args": {"A": "1"}, "tags": ["x"]},
      "app": {"inherits": ["base"], "args": {"B": "1"}}, "own": {"inherits": ["base"], "args": {"A": "own"}}}})";
  const kiln::Fleet fleet = load(file, {{}, {"base.args.A=2", "app.tags=one", "app.tags=two", "ow?.tags+=more"}});
  CHECK(fleet.find("app")->args == Pairs{{"A", "2"}, {"B", "1"}});
  CHECK(fleet.find("own")->args == Pairs{{"A", "own"}});
  CHECK(fleet.find("app")->tags == Texts{"one", "two"});
  CHECK(fleet.find("own")->tags == Texts{"x", "more"});
  CHECK(refusal(file, {{}, {"bas.args.A=1"}}) == "--set 'bas.args.A=1': no target matches 'bas'; did you mean 'base'?");
}

TEST_CASE("mistakes are answered with line and nearest name") {
  CHECK(refusal("{\n\"target\": {\n\"a\": {\n\"contxt\": \".\"}}}") ==
        "4: unknown attribute 'contxt' of a target; did you mean 'context'?");
  CHECK(refusal("{\"targets\": {}}") == "1: unknown key 'targets'; did you mean 'target'?");
  CHECK(refusal("{\"group\": {\"g\": {\"target\": []}}}") ==
        "1: unknown attribute 'target' of a group; did you mean 'targets'?");
  CHECK(refusal("{\"variable\": {\"V\": {\"defualt\": 1}}}") ==
        "1: unknown attribute 'defualt' of a variable; did you mean 'default'?");
  CHECK(refusal("{\"target\": {\"app\": {}},\n\"group\": {\"g\": {\n\"targets\": [\"ap\"]}}}") ==
        "3: group 'g': unknown target 'ap'; did you mean 'app'?");
  CHECK(refusal("{\"target\": {\"app\": {\n\"inherits\": [\"bas\"]}, \"base\": {}}}") ==
        "2: target 'app' inherits from an unknown target 'bas'; did you mean 'base'?");
  CHECK(refusal("{\"target\": {\"app\": {\n\"contexts\": {\"x\": \"target:bas\"}}, \"base\": {}}}") ==
        "2: target 'app': the context 'x' names an unknown target 'bas'; did you mean 'base'?");
  CHECK(refusal("{\"target\": {\"app\": {\"tags\": [\n\"x:${TAGG}\"]}}, \"variable\": {\"TAG\": {}}}") ==
        "2: unknown variable 'TAGG'; did you mean 'TAG'?");
  CHECK(refusal("{\"target\": {\"a b\": {}}}") == "1: 'a b' is no valid name; expected letters, digits, '-' and '_'");
}

TEST_CASE("wrong forms are refused") {
  CHECK(refusal("[]") == "1: expected an object");
  CHECK(refusal("{\"target\": []}") == "accepted");
  CHECK(refusal("{\"target\": 1}").find("unknown") == std::string::npos);
  CHECK(refusal("{\"target\": {\"a\": []}}") == "1: target 'a': expected an object");
  CHECK(refusal("{\"target\": {\"a\": {\"tags\": \"x\"}}}") == "1: expected a list of texts");
  CHECK(refusal("{\"target\": {\"a\": {\"args\": [\"A=1\"]}}}") == "1: expected an object of texts");
  CHECK(refusal("{\"target\": {\"a\": {\"args\": {\"A\": {}}}}}") == "1: expected a text, got an object");
  CHECK(refusal("{\"target\": {\"a\": {\"no-cache\": \"maybe\"}}}") == "1: expected true or false");
  CHECK(refusal("{\"target\": {\"a\": {\"network\": \"moon\"}}}") ==
        "1: target 'a': network 'moon' is not valid; known: default, host, none");
  CHECK(refusal("{\"target\": {\"a\": {\"context\": \"-\"}}}").find("standard input") != std::string::npos);
  CHECK(refusal("{\"target\": {\"a\": {\"secret\": [\"src=x\"]}}}") == "1: secret 'src=x' has no id");
}

TEST_CASE("what leads back to itself is refused with the way") {
  CHECK(refusal(R"({"target": {"a": {"inherits": ["b"]}, "b": {"inherits": ["a"]}}})") ==
        "1: target 'a' inherits from itself: a -> b -> a");
  CHECK(refusal(R"({"target": {"a": {"contexts": {"x": "target:b"}}, "b": {"contexts": {"x": "target:a"}}}})") ==
        "1: target 'a' is built from itself: a -> b -> a");
  CHECK(refusal(R"({"target": {"a": {"contexts": {"x": "target:a"}}}})") ==
        "1: target 'a' is built from itself: a -> a");
  CHECK(
      refusal(
          R"({"variable": {"A": {"default": "${B}"}, "B": {"default": "${A}"}}, "target": {"a": {"tags": ["${A}"]}}})") ==
      "1: the default of variable 'A' leads back to it");
}

TEST_CASE("a matrix is refused where it has no name, equal names or too many combinations") {
  CHECK(refusal(R"({"target": {"a": {"matrix": {"x": ["1"]}}}})") == "1: a matrix needs a 'name' for its targets");
  CHECK(refusal(R"({"target": {"a": {"name": "x"}}})") == "1: 'name' belongs to a 'matrix'");
  CHECK(refusal(R"({"target": {"a": {"matrix": {"x": ["1", "2"]}, "name": "a"}}})") ==
        "1: two targets have the name 'a'");
  CHECK(refusal(R"({"target": {"a": {"matrix": {"x": "1"}, "name": "a"}}})") == "1: the values of a matrix are a list");
  std::string list = "0";
  for (int i = 1; i < 101; ++i) list += "," + std::to_string(i);
  CHECK(refusal("{\"target\": {\"a\": {\"name\": \"a${x}${y}\", \"matrix\": {\"x\": [" + list + "], \"y\": [" + list +
                "]}}}}") == "1: the matrix has more than 10000 combinations");
}

TEST_CASE("what kiln does not evaluate or honour is refused with the reason") {
  CHECK(refusal(R"({"target": {"a": {"tags": ["${upper(\"x\")}"]}}})").find("1: the function 'upper' in") == 0);
  CHECK(refusal(R"({"function": {"f": {}}, "target": {}})").find("1: kiln evaluates no functions") == 0);
  CHECK(refusal(R"({"target": {"a": {"args": {"X": "${target.b.args.Y}"}}, "b": {}}})")
            .find("1: kiln evaluates no attributes") == 0);
  CHECK(refusal(R"({"target": {"a": {"policy": [{"reset": true}]}}})").find("1: kiln does not honour 'policy': ") == 0);
  CHECK(refusal(R"({"target": {"a": {"attest": ["type=sbom"]}}})").find("1: kiln does not honour 'attest': ") == 0);
  CHECK(refusal(R"({"target": {"a": {"entitlements": ["device"]}}})").find("1: kiln does not honour the entitlement") ==
        0);
  CHECK(refusal(R"({"variable": {"A": {"validation": {}}}})").find("1: kiln evaluates no conditions") == 0);
}

TEST_CASE("HCL and compose files are answered with the command that helps") {
  const kiln::test::Folder folder({{"docker-bake.hcl", "target \"a\" {}"}, {"compose.yml", "services: {}"}});
  CHECK_ERROR(kiln::load_bake_file(folder.path() / "docker-bake.hcl", {}), kiln::Category::usage,
              doctest::Contains("docker-bake.hcl --print > docker-bake.json"));
  CHECK_ERROR(kiln::load_bake_file(folder.path() / "compose.yml", {}), kiln::Category::usage, "TODO");
  CHECK_ERROR(kiln::load_bake_file(folder.path() / "none.json", {}), kiln::Category::usage, "TODO");
}
