#include "builder/definitions/bake/resolve.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "builder/definitions/bake/definition.hpp"
#include "builder/definitions/bake_file.hpp"
#include "tests/support/check_error.hpp"
#include "tests/unit/definitions/support/folder.hpp"

using namespace kiln;

namespace {

constexpr int kLevels = 60;  // 2^60 ways from the first to the last

// "TEXT" of each level, with {0} for its number and {1} for that of the next one.
std::string levels(const std::string& text) {
  std::string all;
  for (int i = 0; i < kLevels; ++i) all += fmt::format(fmt::runtime(text), i, i + 1);
  return all;
}

bake::Definition definition(const std::string& text, bake::DefinitionOptions& options) {
  const test::Folder folder({{"docker-bake.hcl", text}});
  options.working_directory = "/work/dir";
  options.environment = [](const std::string&) { return std::nullopt; };
  options.files = {folder.path() / "docker-bake.hcl"};
  return bake::Definition::load(options);
}

}  // namespace

TEST_CASE("targets that many links lead to are walked once, and what they need to be allowed is needed by all") {
  bake::DefinitionOptions options;
  const bake::Definition file =
      definition(levels("target \"t{0}\" {{\n contexts = {{ a = \"target:t{1}\", b = \"target:t{1}\" }}\n}}\n") +
                     "target \"t60\" {\n entitlements = [\"security.insecure\"]\n}\n",
                 options);
  const bake::Selection selection = file.select({"t0"});
  CHECK(selection.targets.size() == kLevels + 1);
  for (const auto& [name, values] : selection.targets) {
    CAPTURE(name);
    REQUIRE(values.contains("entitlements"));
    CHECK(values.at("entitlements").size() == 1);
  }
  CHECK(bake_fleet(file, options, {"t0"}).targets.size() == kLevels + 1);
}

TEST_CASE("groups that many groups have are walked once") {
  bake::DefinitionOptions options;
  const bake::Definition file = definition(levels("group \"g{0}\" {{\n targets = [\"g{1}\", \"h{1}\"]\n}}\n"
                                                  "group \"h{0}\" {{\n targets = [\"g{1}\", \"h{1}\"]\n}}\n") +
                                               "group \"g60\" {\n targets = [\"a\"]\n}\n"
                                               "group \"h60\" {\n targets = [\"b\"]\n}\n"
                                               "target \"a\" {}\ntarget \"b\" {}\n",
                                           options);
  const bake::Selection selection = file.select({"g0"});
  CHECK(selection.targets.size() == 2);
  // All but h0, which nothing asks for; "default" is made of what is asked for.
  CHECK(selection.groups.size() == 2 * (kLevels + 1));
}

TEST_CASE("the place of a value is looked for once in each target that is inherited") {
  bake::DefinitionOptions options;
  const bake::Definition file =
      definition(levels("target \"p{0}\" {{\n inherits = [\"p{1}\", \"q{1}\"]\n}}\n"
                        "target \"q{0}\" {{\n inherits = [\"p{1}\", \"q{1}\"]\n}}\n") +
                     "target \"p60\" {}\ntarget \"q60\" {}\ntarget \"bad\" {\n platforms = [\"a/b/c/d/e\"]\n}\n"
                     "target \"last\" {\n inherits = [\"bad\", \"p0\"]\n}\n",
                 options);
  CHECK(file.place_of("last", "platforms").line() == 6 * kLevels + 4);
  CHECK_ERROR(bake_fleet(file, options, {"last"}), Category::usage, doctest::Contains("a/b/c/d/e"));
}

TEST_CASE("links that do not hold are told for every target that needs them, and hide no others") {
  bake::DefinitionOptions options;
  const std::string text =
      "target \"a\" {\n contexts = { x = \"target:good\", y = \"target:bad\" }\n}\n"
      "target \"b\" {\n contexts = { x = \"target:good\", y = \"target:bad\" }\n}\n"
      "target \"c\" {\n contexts = { x = \"target:good\" }\n}\n"
      "target \"good\" {}\ntarget \"bad\" {\n inherits = [\"none\"]\n}\n";
  for (const char* wanted : {"a", "b"}) {
    const bake::Definition file = definition(text, options);
    CHECK_ERROR(bake_fleet(file, options, {wanted}), Category::usage,
                doctest::Contains("inherits from an unknown target 'none'"));
  }
  const bake::Definition file = definition(text, options);
  CHECK(bake_fleet(file, options, {"c"}).targets.size() == 2);
}
