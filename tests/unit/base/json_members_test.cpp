#include "base/json_members.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/support/check_error.hpp"

using namespace kiln;
using nlohmann::json;

namespace {

const JsonMembers::Refuse kRefuse = JsonMembers::refusal("doc", Category::network);

// What reading from {"x": VALUE} says; "" where nothing is wrong.
template <class Body>
std::string refusal_of(json value, Body&& body) {
  const json document = {{"x", std::move(value)}};
  try {
    body(JsonMembers(document, kRefuse));
  } catch (const Error& error) {
    CHECK(error.category() == Category::network);
    return error.message();
  }
  return "";
}

}  // namespace

TEST_CASE("members of the right type are returned") {
  const json value = {{"s", "x"},          {"b", true},
                      {"i", -3},           {"u", 7u},
                      {"n", 1.5},          {"null", nullptr},
                      {"l", {"a", "b"}},   {"numbers", {1, 2.5}},
                      {"m", {{"k", "v"}}}, {"o", {{"80/tcp", json::object()}}}};
  const JsonMembers members(value, kRefuse);
  CHECK(members.string("s") == "x");
  CHECK(members.boolean_or("b", false));
  CHECK(members.integer_or("i", 0) == -3);
  CHECK(members.unsigned_integer("u") == 7);
  CHECK(members.small_integer("u") == 7);
  CHECK(members.number("n") == 1.5);
  CHECK(members.number_or_null("n") == 1.5);
  CHECK_FALSE(members.number_or_null("null").has_value());
  CHECK(members.strings("l") == std::vector<std::string>{"a", "b"});
  CHECK(members.numbers("numbers") == std::vector<double>{1, 2.5});
  CHECK(members.string_map_or_none("m").at("k") == "v");
  CHECK(members.keys_or_none("o") == std::set<std::string>{"80/tcp"});
  CHECK(members.object("m").string("k") == "v");
}

TEST_CASE("a member that is missing or null is what the caller says") {
  const json value = {{"null", nullptr}};
  const JsonMembers members(value, kRefuse);
  for (const char* key : {"null", "absent"}) {
    CAPTURE(key);
    CHECK_FALSE(members.has(key));
    CHECK(members.string_or(key, "y") == "y");
    CHECK(members.boolean_or(key, true));
    CHECK(members.integer_or(key, -1) == -1);
    CHECK(members.unsigned_integer_or(key, 5) == 5);
    CHECK(members.strings_or_none(key).empty());
    CHECK(members.string_map_or_none(key).empty());
    CHECK(members.keys_or_none(key).empty());
    members.each_or_none(key, [](const JsonMembers&) { FAIL("there is none"); });
  }
}

TEST_CASE("a member of another type is refused by document, member and what was expected") {
  const json list = json::array({true});
  CHECK(refusal_of(list, [](auto x) { x.string("x"); }) == "doc: 'x': expected a string");
  CHECK(refusal_of(list, [](auto x) { x.string_or("x"); }) == "doc: 'x': expected a string");
  CHECK(refusal_of(list, [](auto x) { x.boolean_or("x", true); }) == "doc: 'x': expected true or false");
  CHECK(refusal_of(1.0, [](auto x) { x.integer_or("x", 0); }) == "doc: 'x': expected a whole number");
  CHECK(refusal_of(9223372036854775808u, [](auto x) { x.integer_or("x", 0); }) ==
        "doc: 'x': expected a smaller number");
  CHECK(refusal_of(-1, [](auto x) { x.unsigned_integer("x"); }) == "doc: 'x': expected a whole number, not negative");
  CHECK(refusal_of(2147483648u, [](auto x) { x.small_integer("x"); }) == "doc: 'x': expected a smaller number");
  CHECK(refusal_of("1", [](auto x) { x.number("x"); }) == "doc: 'x': expected a number");
  CHECK(refusal_of(list, [](auto x) { x.strings("x"); }) == "doc: 'x': expected a list of strings");
  CHECK(refusal_of("a", [](auto x) { x.strings("x"); }) == "doc: 'x': expected a list of strings");
  CHECK(refusal_of(list, [](auto x) { x.numbers("x"); }) == "doc: 'x': expected a list of numbers");
  CHECK(refusal_of(list, [](auto x) { x.string_map_or_none("x"); }) == "doc: 'x': expected an object of strings");
  CHECK(refusal_of({{"k", 1}}, [](auto x) { x.string_map_or_none("x"); }) == "doc: 'x': expected an object of strings");
  CHECK(refusal_of(list, [](auto x) { x.keys_or_none("x"); }) == "doc: 'x': expected an object");
  CHECK(refusal_of(list, [](auto x) { x.object("x"); }) == "doc: 'x': expected an object");
  CHECK(refusal_of(list, [](auto x) { x.each("x", [](const JsonMembers&) {}); }) == "doc: 'x/0': expected an object");
  CHECK(refusal_of(1, [](auto x) { x.each("x", [](const JsonMembers&) {}); }) == "doc: 'x': expected a list");
  CHECK(refusal_of({{"a", 1}}, [](auto x) { x.object("x").string("a"); }) == "doc: 'x/a': expected a string");
  CHECK(refusal_of(1, [](auto x) { x.string("y"); }) == "doc: misses 'y'");
}

TEST_CASE("keys that nobody knows are refused with the nearest, and missing ones by name") {
  CHECK(refusal_of(1, [](auto x) { x.only({"x", "y"}); }).empty());
  CHECK(refusal_of({{"sizes", 1}}, [](auto x) { x.object("x").only({"size"}); }) ==
        "doc: 'x/sizes': unknown key 'sizes'; did you mean 'size'?");
  CHECK(refusal_of(1, [](auto x) { x.exactly({"x"}); }).empty());
  CHECK(refusal_of(1, [](auto x) { x.exactly({"x", "y"}); }) == "doc: misses 'y'");
}

TEST_CASE("objects of a list and of an object are visited with their places") {
  const json value = {{"list", {{{"n", 1u}}, {{"n", 2u}}}}, {"by name", {{"a/b", {{"n", "no number"}}}}}};
  const JsonMembers members(value, kRefuse);
  std::uint64_t sum = 0;
  members.each("list", [&](const JsonMembers& item) { sum += item.unsigned_integer("n"); });
  CHECK(sum == 3);
  CHECK_ERROR(members.object("by name").each_member([](const std::string& name, const JsonMembers& item) {
    CHECK(name == "a/b");
    item.number("n");
  }),
              Category::network, "doc: 'by name/a~1b/n': expected a number");
}

TEST_CASE("what is no object has no members") {
  CHECK_ERROR(JsonMembers(json(1), kRefuse), Category::network, "doc: expected an object");
}
