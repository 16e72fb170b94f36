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

kiln::Fleet load(const std::string& text, const Given& given = {}, const std::string& name = "docker-bake.json",
                 const Texts& wanted = {}) {
  const kiln::test::Folder folder({{name, text}});
  kiln::bake::DefinitionOptions options;
  options.working_directory = "/work/dir";
  options.environment = [&](const std::string& variable) {
    const auto at = given.environment.find(variable);
    return at == given.environment.end() ? std::nullopt : std::optional(at->second);
  };
  options.files = {folder.path() / name};
  options.set = given.set;
  return kiln::bake_fleet(kiln::bake::Definition::load(options), options, wanted);
}

// What follows "FILE:" in the refusal of a file whose targets are all wanted.
std::string refusal(const std::string& text, const Given& given = {}) {
  try {
    load(text, given, "docker-bake.json", {"*"});
  } catch (const kiln::Error& error) {
    CHECK(error.category() == kiln::Category::usage);
    const auto file = error.message().find("docker-bake.json:");
    return file == std::string::npos ? error.message() : error.message().substr(file + 17);
  }
  return "accepted";
}

std::string warning(const std::string& text) {
  const kiln::Fleet fleet = load(text);
  REQUIRE(fleet.warnings.size() == 1);
  return fleet.warnings[0].substr(fleet.warnings[0].find("docker-bake.json:") + 17);
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
      "cache-from": [{"type": "registry", "ref": "r.io/c"}, "type=gha"], "cache-to": ["type=local,dest=c"], "entitlements": ["network.host"],
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
  CHECK(app.network == kiln::NetworkMode::none);
  CHECK(app.secrets == std::vector<kiln::SecretSource>{
                           {"a", "/work/dir/f", std::nullopt}, {"b", std::nullopt, "B"}, {"c", std::nullopt, "C"}});
  CHECK(app.ssh == std::vector<kiln::SshForward>{{"default", {}}, {"k", {"/work/dir/p", "/q"}}});
  CHECK(app.outputs == Texts{"type=registry", "type=local,\"dest=a,b\""});
  CHECK(app.cache_from == Texts{"type=registry,ref=r.io/c"});
  CHECK(app.cache_to == Texts{"type=local,dest=c"});
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
      "P": "${PLAIN}", "${TAG}_KEY": "k"}}, "b": {"tags": "${LIST}", "no-cache": "${ON}"}}})";
  const kiln::Fleet fleet = load(file);
  CHECK(fleet.find("a")->tags == Texts{"r/a:dev"});
  CHECK(fleet.find("a")->args ==
        Pairs{{"N", "3"}, {"ON", "true"}, {"E", "[]"}, {"F", "x-dev"}, {"P", "p"}, {"dev_KEY", "k"}});
  CHECK(fleet.find("b")->tags == Texts{"dev", "b"});
  CHECK(fleet.find("b")->no_cache);

  const Given given{{{"TAG", "1.0"}, {"N", "4"}, {"ON", "false"}, {"EMPTY", "e"}, {"PLAIN", "ignored"}}, {}};
  const kiln::Fleet changed = load(file, given);
  CHECK(changed.find("a")->args ==
        Pairs{{"N", "4"}, {"ON", "false"}, {"E", "[e]"}, {"F", "x-1.0"}, {"P", "p"}, {"1.0_KEY", "k"}});
  CHECK(refusal(file, {{{"N", "four"}}, {}}) == "1:2: the given value of 'N': 'four' is no number");
  CHECK(
      refusal(file, {{{"LIST", "a,b"}}, {}}).ends_with("the given value of 'LIST': a tuple cannot be given as a text"));
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

TEST_CASE("a map in a matrix is the list of its values") {
  const kiln::Fleet fleet = load(
      R"({"target": {"app": {"name": "app-${v}", "matrix": {"v": {"new": "2", "old": "1"}}, "args": {"V": "${v}"}}}})");
  CHECK(names(fleet) == Texts{"app-1", "app-2"});
  CHECK(fleet.groups.at("app") == Texts{"app-2", "app-1"});
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

TEST_CASE("mistakes are answered with line, column and nearest name") {
  CHECK(refusal("{\"target\": {\"app\": {\n\"inherits\": [\"bas\"]}, \"base\": {}}}") ==
        "1:2: target 'app' inherits from an unknown target 'bas'; did you mean 'base'?");
  CHECK(refusal("{\"target\": {\"app\": {\n\"contexts\": {\"x\": \"target:bas\"}}, \"base\": {}}}") ==
        "1:2: target 'app': the context 'x' names an unknown target 'bas'; did you mean 'base'?");
  CHECK(refusal("{\"target\": {\"app\": {\"tags\": [\n\"x:${TAGG}\"]}}, \"variable\": {\"TAG\": {}}}") ==
        "2:6: unknown variable 'TAGG'; did you mean 'TAG'?");
  CHECK(refusal("{\"target\": {\"a b\": {}}}") ==
        "1:13: 'a b' is no valid name; expected letters, digits, '-' and '_'");
}

TEST_CASE("what says nothing to a bake is left out, as in buildx, and said") {
  CHECK(warning("{\n\"target\": {\n\"a\": {\n\"contxt\": \".\"}}}") ==
        "4:1: 'contxt' is no attribute of a target and is left out; did you mean 'context'?");
  CHECK(warning("{\"targets\": {}}") == "1:2: 'targets' is taken for a variable; did you mean 'target'?");
  CHECK(warning("{\"group\": {\"g\": {\"targets\": [], \"matrx\": 1}}}")
            .find("'matrx' is no attribute of a group and is left out") != std::string::npos);
  CHECK(warning("{\"variable\": {\"V\": {\"defualt\": 1}}}") ==
        "1:21: 'defualt' is no attribute of a variable and is left out; did you mean 'default'?");
}

TEST_CASE("wrong forms are refused") {
  CHECK(refusal("[]") == "accepted");
  CHECK(refusal("{\"target\": []}") == "accepted");
  CHECK(refusal("{\"target\": {\"a\": []}}") == "accepted");
  CHECK(refusal("{\"target\": 1}") == "1:12: expected 'target': an object by name");
  CHECK(refusal("{\"target\": {\"a\": {\"tags\": \"x\"}}}") ==
        "1:27: 'tags': a list of string is required, got string");
  CHECK(refusal("{\"target\": {\"a\": {\"tags\": [null]}}}") == "1:27: 'tags': an item of the list is null");
  CHECK(refusal("{\"target\": {\"a\": {\"args\": [\"A=1\"]}}}") ==
        "1:27: 'args': a map of string is required, got tuple");
  CHECK(refusal("{\"target\": {\"a\": {\"args\": {\"A\": {}}}}}") ==
        "1:27: 'args': 'A': a string is required, got object");
  CHECK(refusal("{\"target\": {\"a\": {\"no-cache\": \"maybe\"}}}") ==
        "1:31: 'no-cache': a bool is required: true or false");
  CHECK(refusal("{\"target\": {\"a\": {\"network\": \"moon\"}}}") ==
        "1:30: target 'a': network 'moon' is not valid; known: default, host, none, recorded");
  CHECK(refusal("{\"target\": {\"a\": {\"context\": \"-\"}}}").find("standard input") != std::string::npos);
  CHECK(refusal("{\"target\": {\"a\": {\"secret\": [\"src=x\"]}}}") ==
        "1:29: a secret has no id; expected id=ID[,src=FILE|,env=NAME]");
}

TEST_CASE("a target that cannot be built stops only what needs it") {
  const std::string file =
      R"({"target": {"good": {}, "bad": {"inherits": ["none"]}, "linked": {"contexts": {"x": "target:bad"}}}})";
  CHECK(names(load(file, {}, "docker-bake.json", {"good"})) == Texts{"good"});
  for (const char* wanted : {"bad", "linked"}) {
    CHECK_ERROR(load(file, {}, "docker-bake.json", Texts{wanted}), kiln::Category::usage,
                doctest::Contains("inherits from an unknown target 'none'"));
  }
}

TEST_CASE("what leads back to itself is refused with the way") {
  CHECK(refusal(R"({"target": {"a": {"inherits": ["b"]}, "b": {"inherits": ["a"]}}})") ==
        "1:2: target 'a' inherits from itself: a -> b -> a");
  CHECK(refusal(R"({"target": {"a": {"contexts": {"x": "target:b"}}, "b": {"contexts": {"x": "target:a"}}}})") ==
        "1:2: target 'a' is built from itself: a -> b -> a");
  CHECK(refusal(R"({"target": {"a": {"contexts": {"x": "target:a"}}}})") ==
        "1:2: target 'a' is built from itself: a -> a");
  CHECK(refusal(R"({"variable": {"A": {"default": "${B}"}, "B": {"default": "${A}"}}, "target": {}})") ==
        "1:2: the value of 'A' leads back to it");
}

TEST_CASE("an attribute that nothing names is evaluated all the same, after the blocks that it may name") {
  CHECK(refusal(R"({"A": "${B}", "B": "${A}", "target": {}})") == "1:2: the value of 'A' leads back to it");
  CHECK(refusal(R"({"A": "${none}", "target": {"t": {}}})").starts_with("1:10: unknown variable 'none'"));
  CHECK(refusal(R"({"A": "${target.t.context}", "target": {"t": {}}})") == "accepted");
}

TEST_CASE("functions and validations hold nothing but what they are made of") {
  CHECK(refusal(R"({"function": {"f": {"params": ["a"], "reslt": "x", "result": "${a}"}}})") ==
        "1:38: a function has no 'reslt'; did you mean 'result'?");
  CHECK(refusal(R"({"function": {"f": {"//": "a comment", "params": [], "result": "x"}}})") == "accepted");
  CHECK(refusal(R"({"variable": {"V": {"validation": {"condition": true, "error_message": "m", "conditon": true}}}})")
            .ends_with(": a validation has no 'conditon'; did you mean 'condition'?"));
}

TEST_CASE("types and parameters are words in the native syntax, and texts in JSON") {
  const auto native = [](const std::string& text) { load(text, {}, "docker-bake.hcl"); };
  CHECK_ERROR(native("variable \"V\" {\n  type = \"string\"\n}\n"), kiln::Category::usage,
              doctest::Contains("docker-bake.hcl:2:10: expected a type, such as string or list(string)"));
  CHECK_ERROR(native("function \"f\" {\n  params = [\"a\"]\n  result = 1\n}\n"), kiln::Category::usage,
              doctest::Contains("docker-bake.hcl:2:13: a parameter is a name"));
  CHECK(refusal(R"({"variable": {"V": {"type": "string"}}, "function": {"f": {"params": ["a"], "result": 1}}})") ==
        "accepted");
}

TEST_CASE("a matrix is refused where it has no name, equal names or too many combinations") {
  CHECK(refusal(R"({"target": {"a": {"matrix": {"x": ["1", "2"]}}}})") ==
        "1:19: a matrix needs a 'name' for its targets");
  CHECK(refusal(R"({"target": {"a": {"name": "x"}}})") == "1:19: 'name' belongs to a 'matrix'");
  CHECK(refusal(R"({"target": {"a": {"matrix": {"x": ["1", "2"]}, "name": "a"}}})") ==
        "1:56: two targets of the matrix have the name 'a'");
  CHECK(refusal(R"({"target": {"a": {"matrix": {"x": "1"}, "name": "a"}}})") ==
        "1:29: the values of 'x' in a matrix are a list");
  std::string list = "0";
  for (int i = 1; i < 101; ++i) list += "," + std::to_string(i);
  CHECK(refusal("{\"target\": {\"a\": {\"name\": \"a${x}${y}\", \"matrix\": {\"x\": [" + list + "], \"y\": [" + list +
                "]}}}}")
            .ends_with("the matrix has more than 10000 combinations"));
}

TEST_CASE("what kiln does not honour is refused with the reason, for the target that asks for it") {
  CHECK(
      refusal(R"({"target": {"a": {"attest": ["type=sbom,generator=ghcr.io/acme/scanner"]}}})")
          .starts_with("1:29: target 'a': attest 'type=sbom,generator=ghcr.io/acme/scanner': kiln runs no generator's "
                       "image"));
  CHECK(refusal(R"({"target": {"a": {"entitlements": ["device"]}}})")
            .starts_with("1:35: target 'a': kiln does not honour 'entitlements': "));
  CHECK(refusal(R"({"target": {"a": {"attest": ["type=sbom,disabled=true"], "entitlements": ["network.host"]}}})") ==
        "accepted");
}

TEST_CASE("caches that kiln has not are passed over with a warning, of the targets that are wanted") {
  const std::string file =
      R"({"target": {"a": {"cache-from": ["type=gha,scope=x"], "cache-to": ["type=s3,bucket=b"]}}})";
  const kiln::Fleet fleet = load(file, {}, "docker-bake.json", {"a"});
  CHECK(fleet.find("a")->cache_from.empty());
  CHECK(fleet.warnings ==
        Texts{"target 'a': the cache 'type=gha' is passed over; docs/cache.md says what to use in its place",
              "target 'a': the cache 'type=s3' is passed over; docs/cache.md says what to use in its place"});
  CHECK(load(file).warnings.empty());
}

TEST_CASE("functions, attributes of other targets and HCL's native syntax are evaluated") {
  const kiln::Fleet fleet = load(
      "variable \"TAG\" {\n  default = \"1\"\n}\nfunction \"tag\" {\n  params = [name]\n"
      "  result = [\"r/${name}:${TAG}\", upper(name)]\n}\ntarget \"a\" {\n  tags = tag(\"a\")\n"
      "  args = { B = target.b.args.X }\n}\ntarget \"b\" {\n  args = { X = 1 + 1 }\n}\n",
      {}, "docker-bake.hcl");
  CHECK(fleet.find("a")->tags == Texts{"r/a:1", "A"});
  CHECK(fleet.find("a")->args == Pairs{{"B", "2"}});
  CHECK(
      refusal(R"({"target": {"a": {"args": {"X": "${target.b.args.X}"}}, "b": {"args": {"X": "${target.a.args.X}"}}}})")
          .ends_with("'target.a.args' leads back to itself"));
}

TEST_CASE("a variable of a Compose file that nothing sets and that has no default counts as empty, with a warning") {
  const std::string file =
      "services:\n  app:\n    build: {context: ., args: {A: '$TAG', B: '${TAGS}', C: '${D:-x}'}}\n";
  const kiln::Fleet fleet = load(file, {{{"TAG", "1"}}, {}}, "compose.yaml");
  CHECK(fleet.find("app")->args == Pairs{{"A", "1"}, {"B", ""}, {"C", "x"}});
  CHECK(fleet.warnings == Texts{"the variable 'TAGS' is not set, and counts as empty"});
}

TEST_CASE(
    "a typed variable that is given as JSON has null for what it does not say, and nothing that its type has not") {
  const std::string file =
      "variable \"O\" {\n  type = object({ name = string, deep = object({ n = number }) })\n}\n"
      "target \"a\" {\n  args = { A = O.name == null ? \"none\" : O.name, B = jsonencode(O.deep) }\n}\n";
  const auto given = [&](const std::string& json) { return load(file, {{{"O_JSON", json}}, {}}, "docker-bake.hcl"); };
  CHECK(given("{}").find("a")->args == Pairs{{"A", "none"}, {"B", "null"}});
  CHECK(given(R"({"name": 1, "deep": {}})").find("a")->args == Pairs{{"A", "1"}, {"B", R"({"n":null})"}});
  CHECK_ERROR(given(R"({"nmae": "x"})"), kiln::Category::usage,
              doctest::Contains("the given value of 'O': its type has no attribute 'nmae'; did you mean 'name'?"));
  CHECK_ERROR(given(R"({"deep": {"n": "x"}})"), kiln::Category::usage,
              doctest::Contains("the given value of 'O': a number is required"));
}

TEST_CASE("what Compose refuses in a build is refused with the file, the line and the service") {
  const auto compose = [](const std::string& lines) {
    load("services:\n  app:\n    build:\n      context: .\n" + lines, {}, "compose.yaml");
  };
  CHECK_ERROR(compose("      cache_from: r/a\n"), kiln::Category::usage,
              doctest::Contains("compose.yaml:5:19: service 'app': 'build.cache_from' is a list"));
  CHECK_ERROR(
      compose("      dockerfile: x\n      dockerfile_inline: FROM a\n"), kiln::Category::usage,
      doctest::Contains(
          "compose.yaml:6:7: service 'app': 'build.dockerfile' and 'build.dockerfile_inline' exclude one another"));
  CHECK_ERROR(compose("      target: ${\n"), kiln::Category::usage,
              doctest::Contains("compose.yaml:5:15: a '${' that is no variable"));
}

TEST_CASE("several files are merged: variables, functions and groups are replaced, targets merged") {
  const kiln::test::Folder folder(
      {{"compose.yaml", "services:\n  web.app:\n    image: \"r/web:${TAG:-x}\"\n    build: ./web\n"},
       {"a.hcl", "variable \"V\" {\n  default = \"a\"\n}\ntarget \"web_app\" {\n  args = { V = V }\n}\n"},
       {"b.json", R"({"variable": {"V": {"default": "b"}}, "group": {"default": {"targets": ["web_app"]}}})"}});
  kiln::bake::DefinitionOptions options;
  options.working_directory = folder.path();
  options.environment = [](const std::string&) { return std::nullopt; };
  options.files = {"compose.yaml", "a.hcl", "b.json"};
  options.variables = {"TAG=2"};
  const kiln::Fleet fleet = kiln::bake_fleet(kiln::bake::Definition::load(options), options, {});
  CHECK(fleet.find("web_app")->args == Pairs{{"V", "b"}});
  CHECK(fleet.find("web_app")->tags == Texts{"r/web:2"});
  CHECK(fleet.find("web_app")->context == folder.path() / "web");
  options.files = {"none.json"};
  CHECK_ERROR(kiln::bake::Definition::load(options), kiln::Category::usage, doctest::Contains("none.json"));
  options.variables = {"TAG"};
  CHECK_ERROR(kiln::bake::Definition::load(options), kiln::Category::usage, "--var 'TAG': expected NAME=VALUE");
}
