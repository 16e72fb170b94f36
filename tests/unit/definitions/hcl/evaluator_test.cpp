#include "builder/definitions/hcl/evaluator.hpp"

#include <doctest/doctest.h>

#include <fstream>

#include "base/error.hpp"
#include "builder/definitions/hcl/convert.hpp"
#include "builder/definitions/hcl/parser.hpp"
#include "tests/unit/definitions/hcl/test_names.hpp"

using namespace kiln;
using hcl::Value;

namespace {

Value evaluate(const std::string& text, test::TestNames names = {}) {
  const hcl::Source source("docker-bake.hcl", text);
  const hcl::ExpressionPtr expression = hcl::Parser(source, source.text(), 0).whole_expression();
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
  CHECK(refusal("setproduct(range(1000), range(1000))").ends_with("more than 100000 combinations"));
  CHECK(evaluate("length(range(1024))").number() == hcl::Number(1024));
  CHECK(refusal("range(1025)").find("1024") != std::string::npos);
}

TEST_CASE("variables that expand one another without end are refused before they are gone through") {
  test::TestNames names;
  Value list = Value::tuple({Value::of("x")});
  for (int i = 0; i < 100; ++i) list = Value::tuple({list, list});
  names.values["lists"] = list;
  names.values["text"] = Value::of(std::string(1 << 20, 'x'));
  for (const char* expression : {"lists", "jsonencode(lists)", "flatten(lists)", "lists == lists", "true ? lists : []",
                                 "{a = lists}", "\"${lists}\""}) {
    CAPTURE(expression);
    CHECK(refusal(expression, names).find("the value holds more than 2000000 parts") != std::string::npos);
  }
  // Naming a text costs nothing, making one anew does.
  CHECK(refusal("length([for i in range(1000): text])", names).find("holds more than 2000000 parts") !=
        std::string::npos);
  CHECK(evaluate("[for i in range(1000): text == \"\"]", names).size() == 1000);
  CHECK(refusal("[for i in range(1000): \"${text}-${i}\"][0]", names)
            .ends_with("evaluating the bake files makes more than 64 MiB of texts here"));
  // Nothing that catches errors goes on behind a bound.
  CHECK(refusal("[for i in range(1000): try(\"${text}-${i}\", i)][0]", names)
            .ends_with("evaluating the bake files makes more than 64 MiB of texts here"));
  CHECK(evaluate("try(lists, 1)", names).number() == hcl::Number(1));
  CHECK(refusal("join(\"\", [for i in range(17): text])", names).ends_with("the text would be larger than 16 MiB"));
  CHECK(refusal("\"%{ for i in range(17) }${text}%{ endfor }\"", names)
            .ends_with("the text would be larger than 16 MiB"));
  names.values["long"] = Value::of(std::string(9 << 20, 'x'));
  CHECK(refusal("\"${long}${long}\"", names).ends_with("the text would be larger than 16 MiB"));
}

TEST_CASE("what works longer than its operands tell is charged for it") {
  CHECK(refusal("distinct(split(\",\", join(\",\", [for i in range(1000): join(\",\", [for k in range(6): "
                "\"${i}-${k}\"])])))")
            .ends_with("takes more than 3000000 steps here"));
  CHECK(refusal("[for i in range(1000): bcrypt(\"a\")]").ends_with("takes more than 3000000 steps here"));
  // The making of a pattern alone may be much work, whatever the text.
  const auto cost = [](const char* pattern) {
    return hcl::find_function("regex")->cost({Value::of(pattern), Value::of("x")});
  };
  CHECK(cost("^[a-z]+$") < 20);
  CHECK(cost("(a{10}b{10}c{10}){10}|x") > 300);
  CHECK(hcl::find_function("divide")->cost({Value::of(hcl::Number(1)), Value::of(hcl::Number(3))}) ==
        hcl::kDivisionSteps);
  CHECK(refusal("[for i in range(100): [for k in range(100): i / 7]]").ends_with("takes more than 3000000 steps here"));
  CHECK(evaluate("length([for i in range(1000): i / 7])").number() == hcl::Number(1000));
}
