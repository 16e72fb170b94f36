#include "registry/oci/json_reader.hpp"

#include <doctest/doctest.h>

using namespace kiln;
using namespace kiln::oci;
using nlohmann::json;

TEST_CASE("members of the right type are given, absent ones are their type's nothing") {
  const json value = {{"s", "x"},        {"b", true},         {"i", -3},
                      {"l", {"a", "b"}}, {"m", {{"k", "v"}}}, {"o", {{"80/tcp", json::object()}}}};
  const JsonReader reader(value, "doc");
  CHECK(reader.string("s") == "x");
  CHECK(reader.boolean("b"));
  CHECK(reader.integer("i") == -3);
  CHECK(reader.strings("l") == std::vector<std::string>{"a", "b"});
  CHECK(reader.string_map("m").at("k") == "v");
  CHECK(reader.key_set("o") == std::set<std::string>{"80/tcp"});
  CHECK(reader.array("l").size() == 2);
  CHECK(reader.string("absent").empty());
  CHECK_FALSE(reader.boolean("absent"));
  CHECK(reader.integer("absent") == 0);
  CHECK(reader.strings("absent").empty());
  CHECK(reader.array("absent").empty());
  CHECK(reader.find("absent") == nullptr);
}

TEST_CASE("a member of another type is refused by document, member and what was expected") {
  const json value = {{"x", json::array({1})}, {"big", 9223372036854775808u}, {"f", 1.0}};
  const JsonReader reader(value, "doc");
  CHECK_THROWS_WITH_AS(reader.string("x"), "doc: 'x' must be a string", Error);
  CHECK_THROWS_WITH_AS(reader.boolean("x"), "doc: 'x' must be true or false", Error);
  CHECK_THROWS_WITH_AS(reader.integer("x"), "doc: 'x' must be a whole number", Error);
  CHECK_THROWS_WITH_AS(reader.integer("f"), "doc: 'f' must be a whole number", Error);
  CHECK_THROWS_WITH_AS(reader.integer("big"), "doc: 'big' must be a smaller number", Error);
  CHECK_THROWS_WITH_AS(reader.strings("x"), "doc: 'x' must be a list of strings", Error);
  CHECK_THROWS_WITH_AS(reader.string_map("x"), "doc: 'x' must be an object of strings", Error);
  CHECK_THROWS_WITH_AS(reader.key_set("x"), "doc: 'x' must be an object", Error);
  CHECK_THROWS_WITH_AS(reader.array("f"), "doc: 'f' must be a list", Error);
  CHECK_THROWS_WITH_AS(JsonReader(json(1), "doc"), "doc: expected a JSON object", Error);
}
