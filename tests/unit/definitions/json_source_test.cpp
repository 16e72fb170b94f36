#include "builder/definitions/json_source.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "builder/definitions/schema.hpp"
#include "tests/support/check_error.hpp"
#include "tests/unit/definitions/support/folder.hpp"

using kiln::JsonSource;

TEST_CASE("messages name file and line of what they are about") {
  const JsonSource source("/x/f.json", "{\n  \"a\": 1,\n  \"b/c\": [\n    2\n  ]\n}");
  CHECK(source.at("/a") == "/x/f.json:2");
  CHECK(source.at("/b~1c/0") == "/x/f.json:4");
  CHECK(source.at("/none") == "/x/f.json");
  CHECK_ERROR(source.fail("/a", "no"), kiln::Category::usage, "/x/f.json:2: no");
}

TEST_CASE("of several mistakes the first in the file is told, then the others") {
  const auto schema = kiln::JsonSchema::parse(R"({"additionalProperties": {"type": "string"}})", "s");
  const JsonSource source("f.json", "{\n  \"z\": 1,\n  \"a\": 2\n}");
  CHECK_ERROR(source.parse(schema), kiln::Category::usage, "f.json:2: expected a string, got 1");
  try {
    source.parse(schema);
    FAIL("parsed");
  } catch (const kiln::Error& error) {
    CHECK(error.detail() == "f.json:3: expected a string, got 2\n");
    CHECK(kiln::problems_of(error) ==
          std::vector<std::string>{"f.json:2: expected a string, got 1", "f.json:3: expected a string, got 2"});
  }
}

TEST_CASE("a file that is not there is a mistake of words") {
  try {
    JsonSource::read("/none/at/all.json");
    FAIL("read");
  } catch (const kiln::Error& error) {
    CHECK(error.category() == kiln::Category::usage);
  }
}

TEST_CASE("pointers are escaped") {
  CHECK(kiln::child_pointer("/a", "b/c~d") == "/a/b~1c~0d");
  CHECK(kiln::child_pointer("", std::size_t{3}) == "/3");
}

TEST_CASE("paths below the working directory are shown relative to it") {
  const auto here = std::filesystem::current_path();
  CHECK(kiln::display_path(here / "a/b") == "a/b");
  CHECK(kiln::display_path("/elsewhere/a") == "/elsewhere/a");
  CHECK(kiln::display_path("a\nb") != "a\nb");
}

TEST_CASE("a definition of more than 4 MiB is refused") {
  const kiln::test::Folder folder({{"f.json", std::string(4 << 20, ' ')}, {"g.json", std::string((4 << 20) + 1, ' ')}});
  CHECK_NOTHROW(JsonSource::read(folder.path() / "f.json"));
  CHECK_ERROR(JsonSource::read(folder.path() / "g.json"), kiln::Category::usage, doctest::Contains("4194304"));
}
