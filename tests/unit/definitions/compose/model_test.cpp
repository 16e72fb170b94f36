#include "builder/definitions/compose/model.hpp"

#include <doctest/doctest.h>

#include "builder/definitions/compose/compose_targets.hpp"
#include "tests/support/error_of.hpp"
#include "tests/unit/definitions/support/folder.hpp"

using namespace kiln;

namespace {

std::optional<std::string> no_variable(const std::string&) { return std::nullopt; }

compose::ComposeOptions options_in(const fs::path& folder) { return {folder, no_variable, {}}; }

// What reading compose.yaml of a folder of these files says; "" where it is taken.
std::string error_in(const std::map<std::string, std::string>& files) {
  const test::Folder folder(files);
  return error_of([&] {
    bake::BakeConfig config;
    compose::add_compose_targets({{"compose.yaml", files.at("compose.yaml")}}, options_in(folder.path()), config);
  });
}

}  // namespace

TEST_CASE("a document that says nothing is refused beside others, and taken alone") {
  CHECK(error_in({{"compose.yaml", "# nothing yet\n"}}).empty());
  CHECK(error_in({{"compose.yaml", "services: {}\n---\nservices: {}\n"}}).empty());
  CHECK(error_in({{"compose.yaml", "services: {}\n---\n# nothing\n---\nservices: {}\n"}}) ==
        "usage: compose.yaml:2: a document of a Compose file is a mapping");
  CHECK(error_in({{"compose.yaml", "services: {}\n---\n- a list\n"}}) ==
        "usage: compose.yaml:3: a document of a Compose file is a mapping");
}

TEST_CASE("extends sees no service of another document") {
  CHECK(error_in({{"compose.yaml", "services: {a: {build: .}}\n---\nservices: {b: {extends: a}}\n"}}) ==
        "usage: compose.yaml:3: unknown service 'a'; known: b");
}

TEST_CASE("an anchor belongs to its document") {
  CHECK(error_in({{"compose.yaml", "x: &a {build: .}\n---\nservices: {b: *a}\n"}}) ==
        "usage: compose.yaml:3: an alias of no anchor");
}

TEST_CASE("what includes or extends itself is refused with the way") {
  CHECK(error_in({{"compose.yaml", "include: [a.yaml]\n"}, {"a.yaml", "include: [a.yaml]\n"}})
            .ends_with("a.yaml:1: 'a.yaml' includes itself"));
  CHECK(error_in({{"compose.yaml", "services: {a: {extends: {file: b.yaml, service: b}}}\n"},
                  {"b.yaml", "services: {b: {extends: {file: b.yaml, service: b}}}\n"}})
            .ends_with("b.yaml:1: the service 'b' extends itself: a -> b -> b"));
}

TEST_CASE("many services may extend one file") {
  std::string text = "services:\n";
  for (int i = 0; i < 150; ++i) text += "  s" + std::to_string(i) + ": {extends: {file: base.yaml, service: base}}\n";
  CHECK(error_in({{"compose.yaml", text}, {"base.yaml", "services: {base: {build: .}}\n"}}).empty());
}

TEST_CASE("a file that two includes extend has the variables of each") {
  const test::Folder folder(std::map<std::string, std::string>{
      {"compose.yaml", "include: [{path: one.yaml, env_file: one.env}, {path: two.yaml, env_file: two.env}]\n"},
      {"one.yaml", "services: {one: {extends: {file: base.yaml, service: base}}}\n"},
      {"two.yaml", "services: {two: {extends: {file: base.yaml, service: base}}}\n"},
      {"base.yaml", "services: {base: {build: {context: ., target: '${TARGET}'}}}\n"},
      {"one.env", "TARGET=first\n"},
      {"two.env", "TARGET=second\n"}});
  bake::BakeConfig config;
  compose::add_compose_targets({{"compose.yaml", read_file(folder.path() / "compose.yaml", 1000)}},
                               options_in(folder.path()), config);
  std::map<std::string, std::string> targets;
  for (const bake::BakeTarget& target : config.targets) targets[target.name] = target.values.at("target").text();
  CHECK(targets == std::map<std::string, std::string>{{"one", "first"}, {"two", "second"}});
}

TEST_CASE("files that include one another ever wider are refused") {
  std::map<std::string, std::string> files = {
      {"compose.yaml", "include: [a0.yaml, b0.yaml]\n"}, {"a30.yaml", "x: 1\n"}, {"b30.yaml", "x: 1\n"}};
  for (int i = 0; i < 30; ++i) {
    const std::string next = std::to_string(i + 1) + ".yaml";
    for (const char* side : {"a", "b"})
      files[side + std::to_string(i) + ".yaml"] = "include: [a" + next + ", b" + next + "]\n";
  }
  CHECK(error_in(files).ends_with("Compose files name more than 1000 others, or 64 MiB of them"));
}

TEST_CASE("an env_file that is not there is refused where an argument has no value without it") {
  const auto service = [](const std::string& args, const std::string& env_file) {
    return "services:\n  a:\n    build: {context: ., args: " + args + "}\n    env_file: " + env_file + "\n";
  };
  CHECK(error_in({{"compose.yaml", service("[A=1]", "none.env")}}).empty());
  CHECK(error_in({{"compose.yaml", service("[A]", "[{path: none.env, required: false}]")}}).empty());
  CHECK(error_in({{"compose.yaml", service("[A]", "none.env")}}) ==
        "usage: compose.yaml:3: service 'a': the argument 'A' has no value, and the env_file 'none.env' is not there");
  CHECK(error_in({{"compose.yaml", service("[A]", "[{path: a.env, format: raw}]")}, {"a.env", "A=1\n"}}) ==
        "usage: 'env_file' 'a.env': the format 'raw' is not known");
}

TEST_CASE("a reader that looks at files only meets no demand and reads no variables of files") {
  const test::Folder folder({{"compose.yaml", ""}, {".env", "A=of the file\n"}});
  compose::ComposeOptions options = options_in(folder.path());
  options.reads_env_files = false;
  options.needed_value = "?";
  const std::vector<compose::ComposeText> files = {{"compose.yaml", "x: '${A:?} ${B?} ${C:-c} ${D}'\n"}};
  const compose::Node model = compose::load_model(files, options, compose::project_variables(options, files));
  CHECK(model.find("x")->text == "? ? c ");
}

TEST_CASE("what a build says beyond Compose's keys, and a secret that no file knows, are refused with the nearest") {
  const auto build = [](const std::string& text) { return "services:\n  a:\n    build: " + text + "\n"; };
  CHECK(error_in({{"compose.yaml", build("{context: ., dockerfle: D}")}}) ==
        "usage: compose.yaml:3: service 'a': unknown key 'dockerfle' of 'build'; did you mean 'dockerfile'?");
  CHECK(error_in({{"compose.yaml", build("{context: ., x-own: D}")}}).empty());
  CHECK(error_in({{"compose.yaml", build("[x]")}}) ==
        "usage: compose.yaml:3: service 'a': 'build' is a folder, or a mapping that says how");
  CHECK(error_in({{"compose.yaml", build("")}}) ==
        "usage: compose.yaml:3: service 'a': 'build' is a folder, or a mapping that says how");
  CHECK(error_in({{"compose.yaml", build("{context: ., args: ['A = 1']}")}}) ==
        "usage: compose.yaml:3: service 'a': the name of the argument 'A ' ends with a space");
  CHECK(error_in({{"compose.yaml", build("{context: ., secrets: [tokn]}") + "secrets: {token: {environment: T}}\n"}}) ==
        "usage: compose.yaml:3: service 'a': unknown secret 'tokn'; did you mean 'token'?");
}

TEST_CASE("what has another form than its key takes is refused, as it would count for nothing") {
  const auto refusal = [](const std::string& text) {
    const std::string error = error_in({{"compose.yaml", "services: {a: {build: {context: ., " + text + "}}}\n"}});
    const std::string before = "usage: compose.yaml:1: service 'a': ";
    CHECK(error.starts_with(before));
    return error.substr(std::min(error.size(), before.size()));
  };
  const std::string pairs = " is a mapping of texts, or a list of KEY=VALUE";
  CHECK(refusal("args: {a: [1]}") == "'build.args'" + pairs);
  CHECK(refusal("labels: x") == "'build.labels'" + pairs);
  CHECK(refusal("additional_contexts: [a]") == "'build.additional_contexts'" + pairs);
  CHECK(refusal("tags: x") == "'build.tags' is a list of texts");
  CHECK(refusal("extra_hosts: [a]") == "'build.extra_hosts' is a mapping of addresses, or a list of HOST=ADDRESS");
  CHECK(refusal("ulimits: {nofile: {soft: 1}}") ==
        "'build.ulimits' is a mapping of NAME to a number, or to 'soft' and 'hard'");
  CHECK(refusal("no_cache: maybe") == "'build.no_cache' is true or false");
  CHECK(refusal("x-bake: [a]") == "'build.x-bake' is a mapping of texts and lists of texts");
  CHECK(refusal("dockerfile: [a]") == "'build.dockerfile' is a text");
  CHECK(error_in({{"compose.yaml", "services: {a: {build: {context: ., secrets: [s]}}}\nsecrets: {s: {name: n}}\n"}}) ==
        "usage: compose.yaml:1: service 'a': the secret 's' has neither 'file' nor 'environment'");
  CHECK(error_in({{"compose.yaml", "include: a.yaml\n"}}) == "usage: compose.yaml:1: 'include' is a list");
}

TEST_CASE("'~' is the home folder of the environment, and stays where that says none") {
  compose::ComposeOptions options = options_in("/nowhere");
  CHECK(compose::in_home("~/x", options) == "~/x");
  options.environment = [](const std::string& name) {
    return name == "HOME" ? std::optional<std::string>("/home/me") : std::nullopt;
  };
  CHECK(compose::in_home("~/x/", options) == "/home/me/x");
  CHECK(compose::in_home("~", options) == "/home/me");
  CHECK(compose::in_home("x/~", options) == "x/~");
  options.fetched_folder = "/fetched";
  CHECK(compose::in_home("~/x", options) == "~/x");
}

TEST_CASE("a project has the name that its files say, else that of the environment") {
  const auto name_in = [](const std::string& text, const std::map<std::string, std::string>& given) {
    compose::ComposeOptions options = options_in("/nowhere");
    options.given = given;
    return compose::project_variables(options, {{"compose.yaml", text}})("COMPOSE_PROJECT_NAME");
  };
  CHECK(name_in("services: {}\n", {}) == "bake");
  CHECK(name_in("services: {}\n", {{"COMPOSE_PROJECT_NAME", "mine"}}) == "mine");
  CHECK(name_in("name: ${COMPOSE_PROJECT_NAME}-${A:-x}\n", {{"COMPOSE_PROJECT_NAME", "mine"}}) == "mine-x");
}
