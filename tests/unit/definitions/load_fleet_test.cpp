#include "builder/definitions/load_fleet.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/check_error.hpp"
#include "tests/unit/definitions/support/folder.hpp"

namespace {

const std::map<std::string, std::string> kImages = {{"images/fleet.json", R"({"registry": "r.io"})"},
                                                    {"images/app/image.json", R"({"kind": "base"})"},
                                                    {"images/app/Dockerfile", ""}};
const std::map<std::string, std::string> kBake = {{"docker-bake.json", R"({"target": {"b": {}}})"}};

kiln::Fleet load(const std::filesystem::path& folder, std::optional<std::filesystem::path> file = {},
                 std::vector<std::string> set = {}) {
  kiln::LoadFleetOptions options;
  options.working_directory = folder;
  options.file = std::move(file);
  options.set = std::move(set);
  options.environment = [](const std::string&) { return std::nullopt; };
  return kiln::load_fleet(options);
}

}  // namespace

TEST_CASE("image definitions come first, then the bake file") {
  auto both = kImages;
  both.insert(kBake.begin(), kBake.end());
  CHECK(load(kiln::test::Folder(both).path()).targets[0].name == "app");
  CHECK(load(kiln::test::Folder(kBake).path()).targets[0].name == "b");
}

TEST_CASE("a file or a folder can be named") {
  auto both = kImages;
  both.insert(kBake.begin(), kBake.end());
  const kiln::test::Folder folder(both);
  CHECK(load(folder.path(), "docker-bake.json").targets[0].name == "b");
  CHECK(load("/", folder.path() / "docker-bake.json").targets[0].name == "b");
  CHECK(load(folder.path(), "images").targets[0].name == "app");
  CHECK(load(folder.path(), "images/fleet.json").targets[0].name == "app");
  CHECK(load("/", folder.path()).targets[0].name == "app");
}

TEST_CASE("what is not there is named") {
  const kiln::test::Folder folder({{"x", ""}});
  CHECK_ERROR(load(folder.path()), kiln::Category::usage,
              doctest::Contains("holds no images/fleet.json and no docker-bake.hcl"));
  CHECK_ERROR(load(folder.path(), "nope.json"), kiln::Category::usage, "there is no file 'nope.json'");
}

TEST_CASE("buildx's default files are merged, overrides last") {
  const kiln::test::Folder folder({{"docker-bake.hcl", "target \"a\" {\n  args = { X = 1, Y = 1 }\n}\n"},
                                   {"docker-bake.json", R"({"target": {"a": {"args": {"X": "0", "Z": "0"}}}})"},
                                   {"docker-bake.override.json", R"({"target": {"a": {"args": {"Y": "2"}}}})"}});
  CHECK(load(folder.path()).targets[0].args == std::map<std::string, std::string>{{"X", "1"}, {"Y", "2"}, {"Z", "0"}});
}

TEST_CASE("--set changes both kinds") {
  CHECK(load(kiln::test::Folder(kImages).path(), {}, {"app.args.A=1"}).targets[0].args.at("A") == "1");
  CHECK(load(kiln::test::Folder(kBake).path(), {}, {"*.args.A=1", "b.args.NOT_SET"}).targets[0].args ==
        std::map<std::string, std::string>{{"A", "1"}});
}
