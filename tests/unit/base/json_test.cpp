#include "base/json.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/support/check_error.hpp"

using namespace kiln;

namespace {

std::string refusal(std::string_view text, const JsonLimits& limits = {}) {
  try {
    parse_json(text, "the text", Category::network, limits);
  } catch (const Error& error) {
    CHECK(error.category() == Category::network);
    CHECK(error.message().starts_with("the text: "));
    return error.message().substr(10);
  }
  return {};
}

}  // namespace

TEST_CASE("what RFC 8259 allows is read") {
  const auto value = parse_json(" {\"a\": [1, -2.5e3, true, null, \"\\u00fc\\ud83d\\ude00\"]}\n", "t", Category::usage);
  CHECK(value["a"][0] == 1);
  CHECK(value["a"][1] == -2500);
  CHECK(value["a"][4] == "\u00fc\U0001F600");
  CHECK(parse_json("18446744073709551615", "t", Category::usage) == 18446744073709551615u);
  CHECK(parse_json("\"\"", "t", Category::usage) == "");
}

TEST_CASE("a value is written on one line or indented, and what is no UTF-8 in it as U+FFFD") {
  const nlohmann::json value = {{"b", 1},
                                {"a",
                                 "x\xff"
                                 "y"}};
  CHECK(json_text(value) == "{\"a\":\"x\xef\xbf\xbdy\",\"b\":1}");
  CHECK(json_text(value, JsonLayout::indented) == "{\n  \"a\": \"x\xef\xbf\xbdy\",\n  \"b\": 1\n}");
  CHECK_FALSE(strict_json_text(value));
  CHECK(strict_json_text(nlohmann::json{{"a", 1}}) == "{\"a\":1}");
  CHECK(json_text(nlohmann::ordered_json{{"b", 1}, {"a", 2}}) == "{\"b\":1,\"a\":2}");
}

TEST_CASE("a text of kiln's own is read as it stands, with its order where that is asked for") {
  CHECK(json_text(parse_own_json("{\"b\": 1, \"a\": [2]}")) == "{\"a\":[2],\"b\":1}");
  CHECK(json_text(parse_own_ordered_json("{\"b\": 1, \"a\": [2]}")) == "{\"b\":1,\"a\":[2]}");
}

TEST_CASE("a text that may or may not be JSON is read or is nothing") {
  CHECK(try_parse_json("[\"sh\", \"-c\"]") == nlohmann::json{"sh", "-c"});
  CHECK(try_parse_json("null") == nlohmann::json());
  for (const char* text : {"", "[ -f /x ] && y", "{\"a\": 1", "[1] 2"}) CHECK_FALSE(try_parse_json(text));
}

TEST_CASE("a member that is no string counts as none") {
  const auto value = parse_json(R"({"a": "text", "b": 1, "c": null})", "t", Category::usage);
  CHECK(string_member(value, "a") == "text");
  for (const char* name : {"b", "c", "d"}) CHECK(string_member(value, name).empty());
  CHECK(string_member(value["a"], "a").empty());
}

TEST_CASE("what is no JSON is not quoted, for it may be a token; the line of a file that people write is") {
  for (const char* text : {"{\"token\":\"canary", "{\"token\":\"canary\\q\"}", "{\"token\":\"canary\xff\"}",
                           "{\"token\":\"canary\x01\"}", "{\"token\":1canary}", "tcanary"}) {
    CAPTURE(text);
    const std::string told = refusal(text);
    CHECK(told.starts_with("line 1: syntax error while parsing "));
    for (const char* part : {"canary", "last read", "tc", "1c"}) CHECK(told.find(part) == std::string::npos);
  }
  CHECK_ERROR(parse_json_file("{\n\"a\": nul}", "f.json"), Category::usage,
              doctest::Contains("f.json:2: syntax error while parsing value - invalid literal; last read: '"));
}

TEST_CASE("duplicate keys are refused with their line, however they are written") {
  CHECK(refusal("{\n\"a\":1,\n\"a\":2}") == "line 3: duplicate key 'a'");
  CHECK(refusal("{\"a\":1,\"\\u0061\":2}") == "line 1: duplicate key 'a'");
  CHECK(refusal("[{\"x\":{\"k\":1,\n\"k\":1}}]") == "line 2: duplicate key 'k'");
  CHECK(refusal("{\"a\":{\"b\":1},\"c\":{\"b\":1}}").empty());
  CHECK(refusal("[{\"a\":1},{\"a\":1}]").empty());
  CHECK(refusal("{\"\\u001b[31m\":1,\"\\u001b[31m\":1}") == "line 1: duplicate key '\\x1b[31m'");
}

TEST_CASE("nesting is bounded") {
  const auto nested = [](std::size_t levels) { return std::string(levels, '[') + std::string(levels, ']'); };
  CHECK(refusal(nested(64)).empty());
  CHECK(refusal(nested(65)) == "line 1: nested deeper than 64 levels");
  CHECK(refusal(nested(1000000)) == "line 1: nested deeper than 64 levels");
  CHECK(refusal("{\"a\":{\"b\":{}}}", {.max_bytes = 100, .max_depth = 2}) == "line 1: nested deeper than 2 levels");
  CHECK(refusal(std::string(1000000, '[')).find("nested deeper") != std::string::npos);
}

TEST_CASE("size is bounded before anything is read") {
  CHECK(refusal("[1,2]", {.max_bytes = 5}).empty());
  CHECK(refusal("[1,2 ]", {.max_bytes = 5}) == "6 bytes of JSON, more than the 5 allowed");
}

TEST_CASE("what is no JSON is refused with its line") {
  for (const std::string bad :
       {"",      " ",     "{",        "[1,]",   "{\"a\":1,}", "{a:1}",       "'a'",      "nul",          "01",
        "1 2",   "{} {}", "[1] // x", "\"\t\"", "\"\\x\"",    "\"\\ud800\"", "\"\xff\"", "\"\xc0\x80\"", "NaN",
        "1e999", "]",     "+1",       "\xff"}) {
    CAPTURE(bad);
    CHECK_FALSE(refusal(bad).empty());
  }
  CHECK(refusal("{\n\n\"a\" 1}").starts_with("line 3: "));
}

TEST_CASE("a NUL does not end the text, so nothing can hide behind it") {
  CHECK(refusal(std::string("{}\0{\"evil\":1}", 13)) == "line 1: a NUL character");
  CHECK(refusal(std::string("[1,\n\0 2]", 8)) == "line 2: a NUL character");
  CHECK(refusal(std::string("\"a\0b\"", 5)) == "line 1: a NUL character");
}

TEST_CASE("the line of a value is found by its pointer") {
  const std::string text =
      "{\n"                                  // 1
      "  \"name\": \"x\",\n"                 // 2
      "  \"list\": [\n"                      // 3
      "    1,\n"                             // 4
      "    {\"k\": 1,\n"                     // 5
      "     \"deep\": {\n"                   // 6
      "       \"a/b~c\": [10,\n"             // 7
      "         20]\n"                       // 8
      "     }}\n"                            // 9
      "  ],\n"                               // 10
      "  \"k\":\n"                           // 11
      "    null,\n"                          // 12
      "  \"empty\": [], \"\": {\"\": 3},\n"  // 13
      "  \"last\": 7\n"                      // 14
      "}\n";
  struct Case {
    const char* pointer;
    int line;
  };
  for (const Case& expected : {Case{"", 1},
                               {"/name", 2},
                               {"/list", 3},
                               {"/list/0", 4},
                               {"/list/1", 5},
                               {"/list/1/k", 5},
                               {"/list/1/deep", 6},
                               {"/list/1/deep/a~1b~0c", 7},
                               {"/list/1/deep/a~1b~0c/0", 7},
                               {"/list/1/deep/a~1b~0c/1", 8},
                               {"/k", 11},
                               {"/empty", 13},
                               {"/", 13},
                               {"//", 13},
                               {"/last", 14}}) {
    CAPTURE(expected.pointer);
    CHECK(json_line_of(text, expected.pointer) == expected.line);
  }
  for (const char* nowhere :
       {"/absent", "/list/2", "/list/1/absent", "/name/0", "/empty/0", "name", "/list/-", "/list/01"}) {
    CAPTURE(nowhere);
    CHECK_FALSE(json_line_of(text, nowhere));
  }
}

TEST_CASE("the line of a document of one value is that of the value") {
  CHECK(json_line_of("\n\n 5", "") == 3);
  CHECK(json_line_of("\n[\n]", "") == 2);
  CHECK(json_line_of("[1\n,\n2\n]", "/1") == 3);
  CHECK(json_line_of("[\"a\",\n\"b\"\n]", "/1") == 2);
}
