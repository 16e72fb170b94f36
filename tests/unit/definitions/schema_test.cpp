#include "builder/definitions/schema.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"

using kiln::JsonSchema;
using nlohmann::json;

namespace {

// The issues as "POINTER: MESSAGE" lines.
std::string issues(const char* schema, const char* value) {
  std::string result;
  for (const auto& issue : JsonSchema::parse(schema, "s").validate(json::parse(value))) {
    result += issue.pointer + ": " + issue.message + "\n";
  }
  return result;
}

std::string refusal(const char* schema) {
  try {
    JsonSchema::parse(schema, "s.json");
  } catch (const kiln::Error& error) {
    CHECK(error.category() == kiln::Category::usage);
    return error.message();
  }
  return "";
}

}  // namespace

TEST_CASE("an unknown key is named with the nearest one") {
  const char* schema = R"({"properties": {"context": {}, "target": {}}, "additionalProperties": false})";
  CHECK(issues(schema, R"({"contxt": 1})") == "/contxt: unknown key 'contxt'; did you mean 'context'?\n");
  CHECK(issues(schema, R"({"x/y": 1})") == "/x~1y: unknown key 'x/y'; known: context, target\n");
  CHECK(issues(schema, R"({"target": 1})").empty());
}

TEST_CASE("a wrong type says what is expected and what is there") {
  CHECK(issues(R"({"type": "string"})", "16") == ": expected a string, got 16\n");
  CHECK(issues(R"({"type": "array"})", R"("x")") == ": expected a list, got 'x'\n");
  CHECK(issues(R"({"type": ["string", "null"]})", "{}") == ": expected a string or null, got an object\n");
  CHECK(issues(R"({"type": "boolean"})", "[]") == ": expected true or false, got a list\n");
  CHECK(issues(R"({"type": "string"})", R"("x")").empty());
}

TEST_CASE("a whole number may be written with a fraction of nothing") {
  CHECK(issues(R"({"type": "integer"})", "3.0").empty());
  CHECK(issues(R"({"type": "integer"})", "1e300").empty());
  CHECK(issues(R"({"type": "integer"})", "3.5") == ": expected a whole number, got 3.5\n");
  CHECK(issues(R"({"type": "number"})", "3").empty());
}

TEST_CASE("numbers have bounds") {
  CHECK(issues(R"({"minimum": 0, "maximum": 100})", "100").empty());
  CHECK(issues(R"({"minimum": 0, "maximum": 100})", "-1") == ": -1 is less than 0\n");
  CHECK(issues(R"({"minimum": 0, "maximum": 100})", "101") == ": 101 is more than 100\n");
}

TEST_CASE("a pattern says in words what it allows") {
  CHECK(issues(R"({"pattern": "^[a-z]+$", "x-kiln-expects": "small letters"})", R"("A")") ==
        ": 'A' is not valid; expected small letters\n");
  CHECK(issues(R"({"pattern": "^[a-z]+$"})", R"("A")") ==
        ": 'A' is not valid; expected a text that matches '^[a-z]+$'\n");
  CHECK(issues(R"({"pattern": "b"})", R"("abc")").empty());
}

TEST_CASE("a text longer than a pattern is tried on is refused, not matched") {
  const std::string value = "\"" + std::string(5000, 'a') + "\"";
  CHECK_FALSE(issues(R"({"pattern": "^a+$"})", value.c_str()).empty());
}

TEST_CASE("one of a few words is answered with the nearest") {
  CHECK(issues(R"({"enum": ["base", "family", "service"]})", R"("servce")") ==
        ": 'servce' is not valid; did you mean 'service'?\n");
  CHECK(issues(R"({"enum": ["base", "service"]})", "1") == ": 1 is not valid; expected 'base' or 'service'\n");
  CHECK(issues(R"({"const": 1})", "2") == ": 2 is not valid; expected 1\n");
}

TEST_CASE("lists are checked item by item") {
  const char* schema = R"({"items": {"type": "string"}, "minItems": 1, "maxItems": 2, "uniqueItems": true})";
  CHECK(issues(schema, R"(["a", 1])") == "/1: expected a string, got 1\n");
  CHECK(issues(schema, "[]") == ": expected 1 or more items, got 0\n");
  CHECK(issues(schema, R"(["a", "b", "a"])") == ": expected at most 2 items, got 3\n/2: 'a' is there twice\n");
}

TEST_CASE("keys that are missing or too few are named") {
  CHECK(issues(R"({"required": ["kind"]})", "{}") == ": the key 'kind' is missing\n");
  CHECK(issues(R"({"properties": {"a": {}, "b": {}}, "minProperties": 1})", "{}") ==
        ": expected at least 1 of the keys a, b\n");
}

TEST_CASE("keys may be bound by a pattern") {
  CHECK(issues(R"({"propertyNames": {"pattern": "^[a-z]+$", "x-kiln-expects": "letters"}})", R"({"A1": 1})") ==
        "/A1: key 'A1' is not valid; expected letters\n");
  const char* schema =
      R"({"patternProperties": {"^N_": {"type": "number"}}, "additionalProperties": {"type": "string"}})";
  CHECK(issues(schema, R"({"N_a": 1, "b": "x"})").empty());
  CHECK(issues(schema, R"({"N_a": "x", "b": 1})") ==
        "/N_a: expected a number, got 'x'\n/b: expected a string, got 1\n");
}

TEST_CASE("of several forms the one that fits the type explains what is wrong") {
  const char* schema = R"({"oneOf": [{"type": "string"}, {"type": "object", "properties": {"size": {"type": "integer"}},
                           "additionalProperties": false}]})";
  CHECK(issues(schema, R"({"sise": 1})") == "/sise: unknown key 'sise'; did you mean 'size'?\n");
  CHECK(issues(schema, "1") == ": expected a string or an object, got 1\n");
  CHECK(issues(R"({"oneOf": [{}, {"type": "string"}]})", R"("a")") == ": 'a' fits more than one form\n");
  CHECK(issues(R"({"anyOf": [{}, {"type": "string"}]})", R"("a")").empty());
  CHECK(issues(R"({"not": {"type": "string"}})", R"("a")") == ": 'a' is not allowed here\n");
  CHECK(issues(R"({"allOf": [{"minimum": 3}, {"maximum": 1}]})", "2") == ": 2 is less than 3\n: 2 is more than 1\n");
}

TEST_CASE("references lead to definitions, also into themselves by way of the document") {
  const char* schema = R"({"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "object",
                           "additionalProperties": {"$ref": "#/$defs/tree"}}}})";
  CHECK(issues(schema, R"({"a": {"b": {}}})").empty());
  CHECK(issues(schema, R"({"a": {"b": 1}})") == "/a/b: expected an object, got 1\n");
}

TEST_CASE("a schema that cannot be followed is refused with its line") {
  CHECK(refusal("{\n\"$ref\": \"#/$defs/x\"}") == "s.json:2: '#/$defs/x' leads nowhere");
  CHECK(refusal(R"({"$ref": "#/$defs/x", "$defs": {"x": {"anyOf": [{"$ref": "#/$defs/x"}]}}})").find("leads back") !=
        std::string::npos);
  CHECK(refusal(R"({"$ref": "http://example.com"})").find("'#/$defs/' only") != std::string::npos);
  CHECK(refusal(R"({"if": {}})") == "s.json:1: kiln does not know the schema keyword 'if'");
  CHECK(refusal(R"({"pattern": "("})") == "s.json:1: '(' is no regular expression");
  CHECK(refusal(R"({"type": "strin"})") == "s.json:1: unknown type 'strin'; did you mean 'string'?");
  CHECK(refusal(R"({"minimum": "1"})") == "s.json:1: expected a number");
  CHECK(refusal("[]") == "s.json:1: a schema is an object, true or false");
  CHECK(refusal("{").find("s.json:1: syntax error") == 0);
}

TEST_CASE("the schemas of the repository are read, and say which variables a profile value sets") {
  CHECK(kiln::fleet_schema().validate(json{{"registry", "ghcr.io"}}).empty());
  CHECK(kiln::image_schema().validate(json{{"kind", "base"}}).empty());
  const auto sets = kiln::profile_schema().sets();
  REQUIRE(sets.size() == 2);
  CHECK(sets.at("GPU_VISIBLE_DEVICES") == std::vector<std::string>{"CUDA_VISIBLE_DEVICES"});
  CHECK(sets.at("TORCH_CUDA_ALLOC_CONF") == std::vector<std::string>{"PYTORCH_CUDA_ALLOC_CONF"});
}

TEST_CASE("the image schema takes what GPU images say") {
  const json image = json::parse(R"({"kind": "family", "device": "gpu", "compression": "zstd:3",
                                     "cuda": {"version": "12.1", "arch": ["8.6", "8.9", "9.0+PTX"]}})");
  CHECK(kiln::image_schema().validate(image).empty());
  CHECK(kiln::image_schema()
            .validate(json::parse(R"({"kind": "family", "cuda": {"version": "12", "arch": []}})"))
            .size() == 2);
}
