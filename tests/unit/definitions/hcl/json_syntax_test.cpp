#include <doctest/doctest.h>

#include "base/error.hpp"
#include "builder/definitions/hcl/convert.hpp"
#include "tests/unit/definitions/hcl/test_names.hpp"

using namespace kiln;

namespace {

hcl::Document parse(const std::string& text) { return hcl::parse_json_syntax("docker-bake.json", text); }

std::string value(const std::string& json) {
  const hcl::Document document = parse("{\"a\": " + json + "}");
  test::TestNames names;
  return hcl::to_json_text(hcl::Evaluator(names).evaluate(*document.body->find("a")->value));
}

template <class Body>
std::string refusal(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    CHECK(error.category() == Category::usage);
    return error.message();
  }
  return "";
}

}  // namespace

TEST_CASE("strings and keys are templates, numbers keep all their digits") {
  CHECK(value(R"(["${1 + 1}", "x${true}", "$${y}", {"k${1}": null}])") == R"([2,"xtrue","${y}",{"k1":null}])");
  CHECK(value("123456789012345678901234567890") == "123456789012345678901234567890");
  CHECK(value(R"("\u00e9\ud83d\ude00\n")") == "\"\xC3\xA9\xF0\x9F\x98\x80\\n\"");
}

TEST_CASE("a byte that is no UTF-8 is read as the replacement character") {
  CHECK(value("\"a\xff\xc3\xa9\xc3\"") == "\"a\xEF\xBF\xBD\xC3\xA9\xEF\xBF\xBD\"");
}

TEST_CASE("a block may be an object or a list of objects at every level") {
  for (const char* text : {R"({"target": {"app": {"x": 1}}})", R"({"target": [{"app": [{"x": 1}]}]})",
                           R"({"target": {"//": "a comment", "app": [{"x": 1}]}})"}) {
    const hcl::Document document = parse(text);
    const auto blocks = document.body->blocks_of("target", 1);
    REQUIRE(blocks.size() == 1);
    CHECK(blocks[0].labels == std::vector<std::string>{"app"});
    CHECK(blocks[0].body->find("x") != nullptr);
  }
  CHECK(parse(R"({"target": {"app": [{"x": 1}, {"y": 2}], "b": null}})").body->blocks_of("target", 1).size() == 2);
}

TEST_CASE("a key that comes twice is refused where it is one attribute or one object, and not where it is blocks") {
  CHECK(parse(R"({"target": {"a": {}}, "target": {"a": {}}})").body->blocks_of("target", 1).size() == 2);
  const hcl::Document twice = parse("{\"a\": 1,\n \"a\": 2}");
  CHECK(refusal([&] { twice.body->find("a"); }) == "docker-bake.json:2:2: the key 'a' was already there in line 1");
  CHECK(refusal([] { value(R"({"b": 1, "b": 2})"); }) == "docker-bake.json:1:16: the key 'b' is there twice");
}

TEST_CASE("a string that is no template is refused only where it is used as one") {
  const hcl::Document document = parse(R"({"description": "costs ${", "a": "x"})");
  test::TestNames names;
  CHECK(hcl::Evaluator(names).evaluate(*document.body->find("a")->value).text() == "x");
  CHECK(refusal([&] {
          hcl::Evaluator(names).evaluate(*document.body->find("description")->value);
        }).starts_with("docker-bake.json:1:"));
}

TEST_CASE("types are spelled in strings") {
  const hcl::Document document = parse(R"json({"type": "list(string)", "other": "strnig"})json");
  CHECK(hcl::parse_type(document.body->find("type")->value) == hcl::Type::list(hcl::Type::string()));
  CHECK(refusal([&] { hcl::parse_type(document.body->find("other")->value); }) ==
        "docker-bake.json:1:36: unknown type 'strnig'; did you mean 'string'?");
}

TEST_CASE("what is no JSON is refused with its place") {
  CHECK(refusal([] { parse("{\"a\": 1,}"); }) == "docker-bake.json:1:9: expected a key in double quotes");
  CHECK(refusal([] { parse("{\"a\": tru}"); }) == "docker-bake.json:1:7: 'tru' is no value");
  CHECK(refusal([] { parse("{\"a\": 01}"); }) == "docker-bake.json:1:7: '01' is no value");
  CHECK(refusal([] { parse("{} x"); }) == "docker-bake.json:1:4: something stands behind the value");
  CHECK(refusal([] { parse("[1]"); }) == "docker-bake.json:1:2: expected an object");
  CHECK(refusal([] { parse("{\"a\": \"x"); }) == "docker-bake.json:1:7: a text without its closing quote");
  CHECK(refusal([] { parse(std::string(100'000, '[')); }).ends_with("nested deeper than 200"));
}
