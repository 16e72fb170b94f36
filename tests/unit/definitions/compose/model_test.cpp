#include "builder/definitions/compose/model.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <set>

#include "builder/definitions/compose/compose_targets.hpp"
#include "builder/definitions/hcl/convert.hpp"
#include "tests/support/error_of.hpp"
#include "tests/unit/definitions/support/folder.hpp"

using namespace kiln;

namespace {

std::optional<std::string> no_variable(const std::string&) { return std::nullopt; }

compose::ComposeOptions options_in(const fs::path& folder) { return {folder, no_variable, {}}; }

void read_folder(const std::map<std::string, std::string>& files) {
  const test::Folder folder(files);
  bake::BakeConfig config;
  compose::add_compose_targets({compose::parse_compose_file("compose.yaml", files.at("compose.yaml"))},
                               options_in(folder.path()), config);
}

// What reading compose.yaml of a folder of these files says; "" where it is taken.
std::string error_in(const std::map<std::string, std::string>& files) {
  return error_of([&] { read_folder(files); });
}

// The lines below the message.
std::string shown_in(const std::map<std::string, std::string>& files) {
  try {
    read_folder(files);
  } catch (const Error& error) {
    return error.detail();
  }
  return "taken";
}

}  // namespace

TEST_CASE("a document that says nothing is refused beside others, and taken alone") {
  CHECK(error_in({{"compose.yaml", "# nothing yet\n"}}).empty());
  CHECK(error_in({{"compose.yaml", "services: {}\n---\nservices: {}\n"}}).empty());
  CHECK(error_in({{"compose.yaml", "services: {}\n---\n# nothing\n---\nservices: {}\n"}}) ==
        "usage: compose.yaml:2:1: a document of a Compose file is a mapping");
  CHECK(error_in({{"compose.yaml", "services: {}\n---\n- a list\n"}}) ==
        "usage: compose.yaml:3:1: a document of a Compose file is a mapping");
}

TEST_CASE("of many services each is found, whether others went or came after the first look") {
  constexpr int kServices = 1'000;  // above the few that are looked through one after the other
  std::string text = "services:\n";
  for (int i = 0; i < kServices; ++i) text += fmt::format("  s{}: {{build: .}}\n", i);
  const std::string over = "services:\n  s7: !reset null\n  s999: {build: !override {target: t}}\n  new: {build: .}\n";
  const test::Folder folder({{"compose.yaml", text}, {"over.yaml", over}});
  bake::BakeConfig config;
  compose::add_compose_targets(
      {compose::parse_compose_file("compose.yaml", text), compose::parse_compose_file("over.yaml", over)},
      options_in(folder.path()), config);
  std::set<std::string> names;
  for (const bake::BakeTarget& target : config.targets) names.insert(target.name);
  CHECK(config.targets.size() == kServices);
  CHECK(names.size() == kServices);
  CHECK_FALSE(names.contains("s7"));
  CHECK(names.contains("s999"));
  CHECK(names.contains("new"));
  CHECK(error_in({{"compose.yaml", text + "  s7: {build: .}\n"}}) ==
        "usage: compose.yaml:1002:3: the key 's7' is there twice");
}

TEST_CASE("extends sees no service of another document") {
  CHECK(error_in({{"compose.yaml", "services: {a: {build: .}}\n---\nservices: {b: {extends: a}}\n"}}) ==
        "usage: compose.yaml:3:25: unknown service 'a'; known: b");
}

TEST_CASE("an anchor belongs to its document") {
  CHECK(error_in({{"compose.yaml", "x: &a {build: .}\n---\nservices: {b: *a}\n"}}) ==
        "usage: compose.yaml:3:15: unknown anchor 'a'");
  CHECK(error_in({{"compose.yaml", "x: &base {build: .}\nservices: {b: *bse}\n"}}) ==
        "usage: compose.yaml:2:15: unknown anchor 'bse'; did you mean 'base'?");
}

TEST_CASE("what includes or extends itself is refused with the way") {
  CHECK(error_in({{"compose.yaml", "include: [a.yaml]\n"}, {"a.yaml", "include: [a.yaml]\n"}})
            .ends_with("a.yaml:1:11: 'a.yaml' includes itself"));
  CHECK(error_in({{"compose.yaml", "services: {a: {extends: {file: b.yaml, service: b}}}\n"},
                  {"b.yaml", "services: {b: {extends: {file: b.yaml, service: b}}}\n"}})
            .ends_with("b.yaml:1:25: the service 'b' extends itself: a -> b -> b"));
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
  compose::add_compose_targets(
      {compose::parse_compose_file("compose.yaml", read_file(folder.path() / "compose.yaml", 1000))},
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

TEST_CASE("files that others name are read up to 64 MiB together") {
  std::map<std::string, std::string> files = {{"a.yaml", "#" + std::string(4'000'000, '-') + "\nx: 1\n"}};
  const auto including = [&](int number) {
    std::string list = "a.yaml";
    for (int i = 1; i < number; ++i) list += ", a.yaml";
    files["compose.yaml"] = "include: [" + list + "]\n";
    return error_in(files);
  };
  CHECK(including(2).empty());
  CHECK(including(17).ends_with("Compose files name more than 1000 others, or 64 MiB of them"));
}

TEST_CASE("nodes, nesting and variables that nest are bounded, aliases counted each time they are used") {
  const auto repeated = [](const std::string& text, int number) {
    std::string result;
    for (int i = 0; i < number; ++i) result += text;
    return result;
  };
  const auto in_lists = [&](int depth) {
    return error_in({{"compose.yaml", "x: " + repeated("[", depth) + repeated("]", depth) + "\n"}});
  };
  CHECK(in_lists(99).empty());
  CHECK(in_lists(200).ends_with("nested deeper than 100"));
  std::string bomb = "x0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n";
  for (int i = 1; i < 7; ++i) {
    const std::string below = "*a" + std::to_string(i - 1);
    bomb += fmt::format("x{0}: &a{0} [{1}{2}]\n", i, below, repeated(", " + below, 9));
  }
  CHECK(error_in({{"compose.yaml", bomb}}).ends_with("more than 1000000 nodes"));
  const auto in_variables = [&](int depth) {
    return error_in({{"compose.yaml", "services: {a: {build: {context: \"" + repeated("${A:-", depth) + "." +
                                          repeated("}", depth) + "\"}}}\n"}});
  };
  CHECK(in_variables(50).empty());
  CHECK(in_variables(51).ends_with("variables nest too deep"));
}

TEST_CASE("an env_file that is not there is refused where an argument has no value without it") {
  const auto service = [](const std::string& args, const std::string& env_file) {
    return "services:\n  a:\n    build: {context: ., args: " + args + "}\n    env_file: " + env_file + "\n";
  };
  CHECK(error_in({{"compose.yaml", service("[A=1]", "none.env")}}).empty());
  CHECK(error_in({{"compose.yaml", service("[A]", "[{path: none.env, required: false}]")}}).empty());
  CHECK(
      error_in({{"compose.yaml", service("[A]", "none.env")}}) ==
      "usage: compose.yaml:3:31: service 'a': the argument 'A' has no value, and the env_file 'none.env' is not there");
  CHECK(error_in({{"compose.yaml", service("[A]", "[{path: a.env, format: raw}]")}, {"a.env", "A=1\n"}}) ==
        "usage: compose.yaml:4:38: 'env_file' 'a.env': the format 'raw' is not known");
}

TEST_CASE("a reader that looks at files only meets no demand and reads no variables of files") {
  const test::Folder folder({{"compose.yaml", ""}, {".env", "A=of the file\n"}});
  compose::ComposeOptions options = options_in(folder.path());
  options.reads_env_files = false;
  options.needed_value = "?";
  const std::vector<compose::ComposeFile> files = {
      compose::parse_compose_file("compose.yaml", "x: '${A:?} ${B?} ${C:-c} ${D}'\n")};
  const compose::Model model = compose::load_model(files, options, compose::project_variables(options, files));
  CHECK(model.root.find("x")->text == "? ? c ");
}

TEST_CASE("what a build says beyond Compose's keys, and a secret that no file knows, are refused with the nearest") {
  const auto build = [](const std::string& text) { return "services:\n  a:\n    build: " + text + "\n"; };
  CHECK(error_in({{"compose.yaml", build("{context: ., dockerfle: D}")}}) ==
        "usage: compose.yaml:3:25: service 'a': unknown key 'dockerfle' of 'build'; did you mean 'dockerfile'?");
  CHECK(error_in({{"compose.yaml", build("{context: ., x-own: D}")}}).empty());
  CHECK(error_in({{"compose.yaml", build("[x]")}}) ==
        "usage: compose.yaml:3:12: service 'a': 'build' is a folder, or a mapping that says how");
  CHECK(error_in({{"compose.yaml", build("")}}) ==
        "usage: compose.yaml:3:11: service 'a': 'build' is a folder, or a mapping that says how");
  CHECK(error_in({{"compose.yaml", build("{context: ., args: ['A = 1']}")}}) ==
        "usage: compose.yaml:3:31: service 'a': the name of the argument 'A ' ends with a space");
  CHECK(error_in({{"compose.yaml", build("{context: ., secrets: [tokn]}") + "secrets: {token: {environment: T}}\n"}}) ==
        "usage: compose.yaml:3:35: service 'a': unknown secret 'tokn'; did you mean 'token'?");
}

TEST_CASE("what has another form than its key takes is refused, as it would count for nothing") {
  const auto refusal = [](const std::string& text) {
    const std::string error = error_in({{"compose.yaml", "services: {a: {build: {context: ., " + text + "}}}\n"}});
    const std::size_t column = std::string("services: {a: {build: {context: ., ").size() + text.find(':') + 3;
    const std::string before = "usage: compose.yaml:1:" + std::to_string(column) + ": service 'a': ";
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
        "usage: compose.yaml:1:46: service 'a': the secret 's' has neither 'file' nor 'environment'");
  CHECK(error_in({{"compose.yaml", "include: a.yaml\n"}}) == "usage: compose.yaml:1:10: 'include' is a list");
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
    const std::vector<compose::ComposeFile> files = {compose::parse_compose_file("compose.yaml", text)};
    return compose::project_variables(options, files)("COMPOSE_PROJECT_NAME");
  };
  CHECK(name_in("services: {}\n", {}) == "bake");
  CHECK(name_in("services: {}\n", {{"COMPOSE_PROJECT_NAME", "mine"}}) == "mine");
  CHECK(name_in("name: ${COMPOSE_PROJECT_NAME}-${A:-x}\n", {{"COMPOSE_PROJECT_NAME", "mine"}}) == "mine-x");
}

TEST_CASE("an error shows the line and a mark below the column, as one of HCL does") {
  CHECK(shown_in({{"compose.yaml", "services:\n  a:\n    build:\n      context: .\n      targt: x\n"}}) ==
        "    5 |       targt: x\n      |       ^");
  CHECK(error_in({{"compose.yaml", "services:\r\n  a: {build: .}\r\n a: [\r\n"}}) ==
        "usage: compose.yaml:3:2: did not find expected key");
  CHECK(shown_in({{"compose.yaml", "services:\r\n  a: {build: .}\r\n a: [\r\n"}}) == "    3 |  a: [\n      |  ^");
}

TEST_CASE("columns count characters, and a byte that is no text is found behind a byte order mark too") {
  CHECK(error_in({{"compose.yaml", "x: ü\nservices: {a: {build: {context: ö, dockerfle: D}}}\n"}}) ==
        "usage: compose.yaml:2:36: service 'a': unknown key 'dockerfle' of 'build'; did you mean 'dockerfile'?");
  CHECK(error_in({{"compose.yaml", "\xef\xbb\xbfx: ü\nservices: {a: {build: []}}\n"}})
            .starts_with("usage: compose.yaml:2:23: service 'a': "));
  CHECK(error_in({{"compose.yaml", "x: ü\ny: \xff\n"}}) == "usage: compose.yaml:2:4: invalid leading UTF-8 octet");
}

TEST_CASE("what is wrong is shown in the file that says it, whichever of several files that is") {
  const test::Folder folder({{"other.yaml", "services:\n  base:\n    build: {context: ., args: [x], lables: {}}\n"}});
  const auto refused = [&](const std::string& first, const std::string& second) {
    return error_of([&] {
      bake::BakeConfig config;
      compose::add_compose_targets(
          {compose::parse_compose_file("compose.yaml", first), compose::parse_compose_file("over.yaml", second)},
          options_in(folder.path()), config);
    });
  };
  CHECK(refused("services: {a: {extends: {file: other.yaml, service: base}}}\n",
                "services: {a: {build: {target: x}}}\n") ==
        "usage: " + (folder.path() / "other.yaml").native() +
            ":3:36: service 'a': unknown key 'lables' of 'build'; did you mean 'labels'?");
  CHECK(refused("services: {a: {build: .}}\n", "\nservices: {a: {build: {target: [x]}}}\n") ==
        "usage: over.yaml:2:32: service 'a': 'build.target' is a text");
  CHECK(refused("services: {a: {deploy: {x: 1}}}\n", "services: {a: {deploy: y}}\n") ==
        "usage: over.yaml:1:24: 'services.a.deploy' is a mapping in what this goes over");
  CHECK(refused("services: {a: {ports: [1]}}\n", "services: {a b: {build: .}}\n") ==
        "usage: over.yaml:1:12: 'a b' is no valid name of a target; expected letters, digits, '-', '_' and '.'");
}

TEST_CASE("a line of an env file, which may hold a secret, is named and not shown") {
  const auto refused = [](const std::string& text) {
    const test::Folder folder({{".env", text}});
    try {
      compose::project_variables(options_in(folder.path()), {});
    } catch (const Error& error) {
      CHECK(error.detail().empty());
      return error.message();
    }
    return std::string();
  };
  CHECK(refused("A=1\n  TOKEN='secret\n") == ".env:2:9: a quote without its partner");
  CHECK(refused("A=1\nTOKEN=secret${\n") ==
        ".env:2:7: a '${' that is no variable; to write it as it is, double the dollar: '$${'");
  CHECK(refused("A B\n") == ".env:1:1: expected NAME=VALUE");
}

TEST_CASE("a key that x-bake does not have is warned of with its place and the nearest") {
  bake::BakeConfig config;
  compose::add_compose_targets(
      {compose::parse_compose_file("compose.yaml", "services: {a: {build: {context: ., x-bake: {tag: [x]}}}}\n")},
      options_in("/nowhere"), config);
  CHECK(config.warnings ==
        std::vector<std::string>{"compose.yaml:1:45: 'tag' is no key of x-bake and is left out; did you mean 'tags'?"});
}

TEST_CASE("keys and secrets of a file in another folder are there, and absolute paths stay as they are written") {
  const test::Folder folder({{"sub/inc.yaml", "services: {a: {build: {context: ., ssh: ['k=./id', default, 'e=']}}}\n"},
                             {"sub/ext.yaml", "services: {e: {build: {context: ., ssh: {k: id}}}}\n"}});
  bake::BakeConfig config;
  compose::add_compose_targets(
      {compose::parse_compose_file("compose.yaml",
                                   "include: [sub/inc.yaml]\nservices:\n"
                                   "  b: {extends: {file: sub/ext.yaml, service: e}}\n"
                                   "  c: {build: {context: ., ssh: ['k=./sub/../id'], secrets: [s, t]}}\n"
                                   "secrets: {s: {file: ./x/../key}, t: {file: /run/./key}}\n")},
      options_in(folder.path()), config);
  std::map<std::string, std::string> shown;
  for (const bake::BakeTarget& target : config.targets) {
    for (const char* attribute : {"ssh", "secret"}) {
      const auto value = target.values.find(attribute);
      if (value != target.values.end()) shown[target.name + " " + attribute] = hcl::to_json_text(value->second);
    }
  }
  CHECK(shown["a ssh"] == R"([{"id":"default","paths":[]},{"id":"e","paths":[""]},{"id":"k","paths":["sub/id"]}])");
  CHECK(shown["b ssh"] == R"([{"id":"k","paths":["sub/id"]}])");
  CHECK(shown["c ssh"] == R"([{"id":"k","paths":["id"]}])");
  CHECK(shown["c secret"] == R"([{"id":"s","src":"key"},{"id":"t","src":"/run/./key"}])");
}
