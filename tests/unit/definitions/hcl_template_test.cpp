#include "builder/definitions/hcl_template.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"

using kiln::evaluate_template;
using nlohmann::json;

namespace {

const json kVariables = json::parse(
    R"({"TAG": "1.0", "N": 5, "ON": true, "LIST": ["a", "b"], "item": {"tgt": "lint", "deep": {"x-y": "z"}}, "NONE": null})");

const json* find(const std::string& name) { return kVariables.contains(name) ? &kVariables.at(name) : nullptr; }
json evaluate(const char* text) { return evaluate_template(text, find); }

std::string refusal(const char* text) {
  try {
    evaluate(text);
  } catch (const kiln::Error& error) {
    CHECK(error.category() == kiln::Category::usage);
    return error.message();
  }
  return "";
}

}  // namespace

TEST_CASE("variables stand in texts") {
  CHECK(evaluate("app:${TAG}-${N}-${ON}") == "app:1.0-5-true");
  CHECK(evaluate("${ TAG }") == "1.0");
  CHECK(evaluate("plain $ text % {}") == "plain $ text % {}");
}

TEST_CASE("a text that is one variable has its type") {
  CHECK(evaluate("${LIST}") == json({"a", "b"}));
  CHECK(evaluate("${N}") == 5);
  CHECK(evaluate("${NONE}").is_null());
}

TEST_CASE("parts of objects and lists can be named") {
  CHECK(evaluate("${item.tgt}") == "lint");
  CHECK(evaluate("a-${item[\"tgt\"]}") == "a-lint");
  CHECK(evaluate("${item.deep.x-y}") == "z");
  CHECK(evaluate("${LIST[1]}") == "b");
}

TEST_CASE("doubled signs stand for themselves") {
  CHECK(evaluate("$${TAG} %%{if}") == "${TAG} %{if}");
  CHECK(evaluate("$$${TAG}") == "$${TAG}");
  CHECK(evaluate("$$TAG") == "$$TAG");
}

TEST_CASE("what kiln does not evaluate is refused by name") {
  CHECK(refusal("${upper(TAG)}").find("the function 'upper' in '${upper(TAG)}' is not supported") == 0);
  CHECK(refusal("${TAG == \"1\" ? 2 : 3}").find("the expression") == 0);
  CHECK(refusal("${\"text}\"}").find("the expression") == 0);
  CHECK(refusal("${5}").find("the expression '${5}' is not supported") == 0);
  CHECK(refusal("${~ TAG ~}").find("the expression") == 0);
  CHECK(refusal("${}").find("the expression '${}'") == 0);
  CHECK(refusal("%{ if true }x%{ endif }").find("the directive in") == 0);
}

TEST_CASE("mistakes in an expression are explained") {
  CHECK(refusal("${NOPE}") == "unknown variable 'NOPE'");
  CHECK(refusal("${item.tg}") == "'${item.tg}': there is no key 'tg'; did you mean 'tgt'?");
  CHECK(refusal("${LIST[2]}") == "'LIST' has no item 2");
  CHECK(refusal("x${LIST}") == "expected a text, got a list");
  CHECK(refusal("${TAG") == "'${TAG' has a '${' without '}'");
  CHECK(refusal("${LIST[}").find("the expression") == 0);
}

TEST_CASE("numbers become text as people write them") {
  CHECK(kiln::template_text(5) == "5");
  CHECK(kiln::template_text(5.0) == "5");
  CHECK(kiln::template_text(0.5) == "0.5");
  CHECK(kiln::template_text(false) == "false");
}
