#include "builder/definitions/hcl/evaluator.hpp"

#include <doctest/doctest.h>

#include <fstream>

#include "base/error.hpp"
#include "builder/definitions/hcl/convert.hpp"
#include "tests/unit/definitions/hcl/test_names.hpp"

using namespace kiln;
using hcl::Value;

namespace {

Value evaluate(const std::string& text, test::TestNames names = {}) {
  const hcl::Source source("docker-bake.hcl", text);
  const hcl::ExpressionPtr expression = hcl::parse_expression(source);
  return hcl::Evaluator(names).evaluate(*expression);
}

std::string refusal(const std::string& text, test::TestNames names = {}) {
  try {
    evaluate(text, std::move(names));
  } catch (const Error& error) {
    CHECK(error.category() == Category::usage);
    return error.message();
  }
  return "";
}

test::TestNames some_names() {
  test::TestNames names;
  names.values["TAG"] = Value::of("1.0");
  names.values["item"] = Value::object({{"target", Value::of("lint")}});
  return names;
}

}  // namespace

TEST_CASE("expressions have the values that buildx gives them") {
  std::ifstream file(std::string(KILN_SOURCE_DIR) + "/tests/golden/hcl/expressions.txt");
  REQUIRE(file);
  int count = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    const std::size_t arrow = line.find("  =>  ");
    REQUIRE(arrow != std::string::npos);
    const std::string text = line.substr(0, arrow);
    std::string result = "ERROR";
    try {
      result = hcl::to_json_text(evaluate(text));
    } catch (const Error& error) {
      CHECK(error.category() == Category::usage);
    }
    INFO(text);
    CHECK(result == line.substr(arrow + 6));
    ++count;
  }
  CHECK(count > 250);
}

TEST_CASE("names are looked up, and an unknown one is answered with the nearest") {
  CHECK(evaluate("\"v${TAG}\"", some_names()).text() == "v1.0");
  CHECK(evaluate("item.target", some_names()).text() == "lint");
  CHECK(refusal("TGA", some_names()) == "docker-bake.hcl:1:1: unknown variable 'TGA'; did you mean 'TAG'?");
  CHECK(refusal("1 + \n item.tarrget", some_names()) ==
        "docker-bake.hcl:2:6: there is no attribute 'tarrget'; did you mean 'target'?");
  CHECK(refusal("uper(\"a\")") == "docker-bake.hcl:1:1: unknown function 'uper'; did you mean 'upper'?");
  CHECK(refusal("frobnicate(1)") == "docker-bake.hcl:1:1: unknown function 'frobnicate'");
}

TEST_CASE("what cannot be evaluated is told with its place and reason") {
  CHECK(refusal("\"a${null}\"") == "docker-bake.hcl:1:5: a null cannot stand in a text");
  CHECK(refusal("\"a${[1]}b\"") == "docker-bake.hcl:1:5: tuple cannot stand in a text");
  CHECK(refusal("1 / 0") == "docker-bake.hcl:1:1: a division by zero");
  CHECK(refusal("1 + \"x\"") == "docker-bake.hcl:1:5: an operand of arithmetic: a number is required");
  CHECK(refusal("[1][2]") == "docker-bake.hcl:1:5: there is no item 2; the list has 1");
  CHECK(refusal("{a = 1}[\"b\"]") == "docker-bake.hcl:1:9: there is no key 'b'; known: a");
  CHECK(refusal("true ? \"a\" : [1]") ==
        "docker-bake.hcl:1:1: the two results of a condition are of different types, string and tuple");
  CHECK(refusal("{for x in [1, 1]: x => x}") ==
        "docker-bake.hcl:1:19: the key '1' comes twice; 'VALUE...' makes a list of all");
  CHECK(refusal("substr(\"a\")") == "docker-bake.hcl:1:1: 'substr' takes 3 arguments, got 1");
  CHECK(refusal("join(\",\", \"a\")") ==
        "docker-bake.hcl:1:11: 'lists' of 'join': a list of string is required, got string");
  CHECK(refusal("regex(\"(?=a)\", \"a\")") ==
        "docker-bake.hcl:1:1: regex(): the pattern '(?=a)' is not valid: unknown '(?', such as look-around, which RE2 "
        "does not have");
  CHECK(
      refusal("try(nothing)") ==
      "docker-bake.hcl:1:1: no argument of 'try' could be evaluated: docker-bake.hcl:1:5: unknown variable 'nothing'");
}

TEST_CASE("functions of a file see their parameters and what is global, and may not lead back to themselves") {
  const hcl::Source result("docker-bake.hcl", "\"${TAG}-${name}-${join(\"+\", rest)}\""),
      loop("docker-bake.hcl", "loop(x)");
  test::TestNames names = some_names();
  names.functions["tag"] = {{"name"}, "rest", hcl::parse_expression(result)};
  names.functions["loop"] = {{"x"}, "", hcl::parse_expression(loop)};
  CHECK(evaluate("tag(\"a\", \"b\", \"c\")", names).text() == "1.0-a-b+c");
  CHECK(evaluate("[for name in [\"x\"]: tag(\"a\", name)][0]", names).text() == "1.0-a-x");
  CHECK(refusal("tag()", names) == "docker-bake.hcl:1:1: 'tag' takes at least 1 argument, got 0");
  CHECK(refusal("tag(null)", names) == "docker-bake.hcl:1:5: an argument of 'tag' must not be null");
  CHECK(refusal("loop(1)", names) == "docker-bake.hcl:1:1: the function 'loop' leads back to itself");
}

TEST_CASE("the steps, the depth and the size of what is evaluated are bounded") {
  CHECK(refusal("[for a in range(1000): [for b in range(1000): [for c in range(1000): c]]]")
            .ends_with("the file takes more than 10000000 steps to evaluate"));
  CHECK(refusal("join(\"\", [for i in range(1024): join(\"\", [for k in range(1024): \"0123456789abcdef0\"])])")
            .ends_with("the text would be larger than 16 MiB"));
  CHECK(refusal("setproduct(range(1000), range(1000))").ends_with("more than 100000 combinations"));
}
