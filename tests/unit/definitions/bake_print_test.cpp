#include "builder/definitions/bake_print.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "builder/definitions/bake_file.hpp"
#include "builder/definitions/definitions.hpp"
#include "builder/definitions/image_names.hpp"
#include "builder/definitions/select.hpp"
#include "tests/support/golden.hpp"
#include "tests/unit/definitions/support/folder.hpp"

namespace {

const std::filesystem::path kSource = KILN_SOURCE_DIR;

}  // namespace

TEST_CASE("the repository's fleet is printed in buildx's shape") {
  const kiln::Fleet fleet = kiln::load_definitions(kSource / "images");
  const auto targets = kiln::select_targets(fleet, {"memory-fusion-hub", "base-python"}, {"pc2"});
  kiln::BakePrintOptions options;
  options.working_directory = kSource;
  options.requested = {"memory-fusion-hub", "base-python"};
  options.edges["memory-fusion-hub-pc2"]["base-cpu-pydeps"] = "base-cpu-pydeps";
  for (const auto& target : fleet.targets) {
    options.names[target.name] = kiln::image_names(fleet, target, {"", "20250131", "0123456789ab"});
  }
  kiln::test::check_golden(kSource / "tests/golden/bake_print/fleet.json", kiln::bake_print(fleet, targets, options));
}

TEST_CASE("a bake file that is printed and read again is the same fleet") {
  const kiln::test::Folder folder({{"docker-bake.json", R"({"group": {"default": {"targets": ["app"]}}, "target": {
      "lib": {"context": "lib"},
      "app": {"description": "d", "context": "app", "dockerfile": "../D", "contexts": {"lib": "target:lib", "dir": "x",
      "abs": "/else"}, "args": {"A": "$${x} %%{y}"}, "labels": {"l": "v"}, "tags": ["docker.io/library/app:1"],
      "target": "s", "secret": ["id=a,src=f", "id=b,env=B"], "ssh": ["default", "k=p"], "platforms": ["linux/amd64"],
      "output": ["type=registry"], "pull": true, "no-cache": true, "network": "none", "no-cache-filter": ["s"],
      "cache-from": ["type=inline"], "cache-to": ["type=inline"]},
      "inline": {"dockerfile-inline": "FROM x\nRUN echo $${y}", "context": "https://example.com/x.git"}}})"}});
  kiln::bake::DefinitionOptions options;
  options.working_directory = folder.path();
  options.environment = [](const std::string&) { return std::nullopt; };
  options.files = {"docker-bake.json"};
  const auto definition = kiln::bake::Definition::load(options);
  const std::string text = kiln::bake::print_selection(definition.select({"default", "inline"}));

  const kiln::test::Folder again({{"docker-bake.json", text}});
  options.files = {again.path() / "docker-bake.json"};
  const auto reread = kiln::bake::Definition::load(options);
  CHECK(kiln::bake::print_selection(reread.select({"default", "inline"})) == text);
}

TEST_CASE("what looks like a template is printed so that it is read as it is, in each attribute and in keys") {
  const kiln::test::Folder folder({{"docker-bake.json", R"({
      "group": {"default": {"description": "$${g}", "targets": ["app"]}},
      "target": {"app": {"description": "$${d}", "context": "$${c}", "dockerfile": "%%{f", "contexts": {"$${k}": "$${v}"},
      "args": {"A": "$${"}, "labels": {"%%{k}": "%%{"}, "annotations": ["a=$${}"], "tags": ["x/app:$${}"], "target": "$${s}",
      "secret": ["id=$${i},src=$${p}"], "ssh": ["$${k}=p"], "output": ["type=local,dest=$${o}"],
      "cache-from": ["type=local,src=$${l}"], "cache-to": ["type=registry,ref=x/$${r},$${k}=v"],
      "no-cache-filter": ["$${n}"], "shm-size": "1m", "extra-hosts": {"$${h}": "1.2.3.4"}}}})"}});
  kiln::bake::DefinitionOptions options;
  options.working_directory = folder.path();
  options.environment = [](const std::string&) { return std::nullopt; };
  options.files = {"docker-bake.json"};
  const std::string text = kiln::bake::print_selection(kiln::bake::Definition::load(options).select({"default"}));
  CHECK(text.find("\"x/app:$${}\"") != std::string::npos);
  CHECK(text.find("\"%%{k}\": \"%%{\"") != std::string::npos);

  const kiln::test::Folder again({{"docker-bake.json", text}});
  options.files = {again.path() / "docker-bake.json"};
  CHECK(kiln::bake::print_selection(kiln::bake::Definition::load(options).select({"default"})) == text);
}

TEST_CASE("a target that another is built from is printed too, one that was not asked for is not") {
  const kiln::test::Folder folder({{"docker-bake.json", R"({"target": {"lib": {}, "other": {},
      "app": {"contexts": {"lib": "target:lib"}}}})"}});
  kiln::bake::DefinitionOptions options;
  options.working_directory = folder.path();
  options.environment = [](const std::string&) { return std::nullopt; };
  options.files = {"docker-bake.json"};
  const auto definition = kiln::bake::Definition::load(options);
  const auto json = nlohmann::json::parse(kiln::bake::print_selection(definition.select({"app"})));
  CHECK(json.at("target").size() == 2);
  CHECK(json.at("target").at("lib").at("output") == nlohmann::json::parse(R"([{"type": "cacheonly"}])"));
  CHECK(json.at("group") == nlohmann::json::parse(R"({"default": {"targets": ["app"]}})"));
}

namespace {

kiln::bake::Definition definition_of(const kiln::test::Folder& folder, const std::string& file) {
  kiln::bake::DefinitionOptions options;
  options.working_directory = folder.path();
  options.environment = [](const std::string&) { return std::nullopt; };
  options.files = {file};
  return kiln::bake::Definition::load(options);
}

}  // namespace

TEST_CASE("a target and a group of one name are both listed") {
  const kiln::test::Folder folder({{"docker-bake.hcl",
                                    "group \"app\" {\n  targets = [\"app\", \"lib\"]\n}\n"
                                    "target \"app\" {\n  description = \"the app\"\n}\ntarget \"lib\" {}\n"}});
  CHECK(kiln::bake::list_config(definition_of(folder, "docker-bake.hcl").config(), "targets") ==
        "TARGET\tDESCRIPTION\napp\tthe app\napp\tapp, lib\nlib\t\n");
}

TEST_CASE("image definitions are listed with their groups as the targets of bake files are") {
  kiln::Fleet fleet;
  fleet.targets.resize(2);
  fleet.targets[0].name = "app-large";
  fleet.targets[0].description = "the app";
  fleet.targets[1].name = "base";
  fleet.groups = {{"app", {"app-large"}}};
  CHECK(kiln::list_fleet(fleet, "targets") ==
        "TARGET\t\tDESCRIPTION\napp\t\tapp-large\napp-large\tthe app\nbase\t\t\n");
  CHECK(kiln::list_fleet(fleet, "type=targets,format=json") ==
        "[\n  {\n    \"name\": \"app\",\n    \"description\": \"app-large\",\n    \"group\": true\n  },\n"
        "  {\n    \"name\": \"app-large\",\n    \"description\": \"the app\"\n  },\n  {\n    \"name\": \"base\"\n  "
        "}\n]\n");
}

TEST_CASE("a file whose name says nothing is told by how it begins") {
  const kiln::test::Folder folder({{"compose", "# services\n---\nx-a: 1\nservices: {app: {build: .}}\n"},
                                   {"native", "/* services: */\ntarget \"app\" {}\n"},
                                   {"variables", "TAG=\"a:b\"\ntarget \"app\" {}\n"},
                                   {"json", "{\"target\": {\"app\": {}}}"},
                                   {"braces", "{services: {app: {build: .}}}"},
                                   {"quoted", "{\n  \"services\": {\"app\": {\"build\": \".\"}}}"}});
  for (const char* file : {"compose", "native", "variables", "json", "braces", "quoted"}) {
    INFO(file);
    CHECK(kiln::bake::list_config(definition_of(folder, file).config(), "targets").find("\napp\t\n") !=
          std::string::npos);
  }
}
