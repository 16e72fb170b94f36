#include "builder/definitions/hcl/parser.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "builder/definitions/hcl/convert.hpp"
#include "tests/unit/definitions/hcl/test_names.hpp"

using namespace kiln;

namespace {

// The attributes of a file as JSON, one after the other.
std::string values(const std::string& text) {
  const hcl::Document document = hcl::parse_native("docker-bake.hcl", text);
  test::TestNames names;
  std::string result;
  for (const hcl::NamedExpression& attribute : document.body->attributes) {
    if (!result.empty()) result += ' ';
    result += attribute.name + "=" + hcl::to_json_text(hcl::Evaluator(names).evaluate(*attribute.value));
  }
  return result;
}

Error refusal(const std::string& text) {
  try {
    hcl::parse_native("docker-bake.hcl", text);
  } catch (const Error& error) {
    CHECK(error.category() == Category::usage);
    return error;
  }
  return Error(Category::usage, "");
}

std::string message(const std::string& text) { return refusal(text).message(); }

}  // namespace

TEST_CASE("a file holds attributes and blocks with labels, one item a line") {
  const hcl::Document document = hcl::parse_native("docker-bake.hcl",
                                                   "# a comment\nTAG = \"x\" // another\n/* and\none */\n"
                                                   "target \"app\" {\n  tags = [\n    \"a\", # b\n    \"c\",\n  ]\n}\n"
                                                   "variable V { default = 1 }\ngroup \"g\" {}\n");
  CHECK(document.body->attributes.size() == 1);
  REQUIRE(document.body->blocks.size() == 3);
  CHECK(document.body->blocks[0].type == "target");
  CHECK(document.body->blocks[0].labels == std::vector<std::string>{"app"});
  CHECK(document.body->blocks[0].place.str() == "docker-bake.hcl:5:1");
  CHECK(document.body->blocks[0].body->attributes[0].name == "tags");
  CHECK(document.body->blocks[1].labels == std::vector<std::string>{"V"});
  CHECK(document.body->blocks_of("group", 1).size() == 1);
}

TEST_CASE("newlines end an expression outside brackets and nowhere inside them") {
  CHECK(values("a = (1 +\n 2)\nb = [1,\n\n2\n]\nc = max(\n 1,\n 2\n)\n") == "a=3 b=[1,2] c=2");
  CHECK(values("a = {\n  b = 1\n\n  # c\n  \"c\" : 2, d = [\n1]\n}") == R"(a={"b":1,"c":2,"d":[1]})");
  CHECK(values("a = \"${\n 1\n}\"") == "a=1");
}

TEST_CASE("a heredoc keeps its lines, and '-' takes the indentation that all have") {
  CHECK(values("a = <<EOT\n  x\n y ${1 + 1}\nEOT\n") == R"(a="  x\n y 2\n")");
  CHECK(values("a = <<-EOT\n    x\n\n      y\n    z\n  EOT\nb = 1\n") == R"(a="x\n\n  y\nz\n" b=1)");
  CHECK(values("a = <<-EOT\n    ${1}\n  x\n  EOT\n") == R"(a="  1\nx\n")");
  CHECK(values("a = <<EOT\n\\n $${x} \"q\"\nEOT\n") == R"(a="\\n ${x} \"q\"\n")");
  CHECK(values("a = <<EOT\n%{ if true ~}\n  yes\n%{ endif ~}\nend\nEOT\n") == R"(a="  yes\nend\n")");
  CHECK(values("a = [<<EOT\nx\nEOT\n, 1]") == R"(a=["x\n",1])");
}

TEST_CASE("what is no HCL is refused with the line and the column") {
  CHECK(message("a = ") == "docker-bake.hcl:1:5: expected an expression, got the end of the line");
  CHECK(message("target \"a\" {\n  x = 1\n") == "docker-bake.hcl:1:1: the block 'target' has no '}' at its end");
  CHECK(message("a = 1 b = 2") == "docker-bake.hcl:1:7: expected a new line behind the attribute");
  CHECK(message("a = [1 2]") == "docker-bake.hcl:1:8: expected ']' behind the items (or a ',' between them), got '2'");
  CHECK(message("a = \"x\ny\"") ==
        "docker-bake.hcl:1:7: a text in quotes ends on its line; for several lines write '<<EOT'");
  CHECK(message("a = \"${x\"") ==
        "docker-bake.hcl:1:6: this '${' has no '}' behind its expression; to write it as it is, double the dollar: "
        "'$${'");
  CHECK(message("a = 'x'") == "docker-bake.hcl:1:5: texts are written in double quotes");
  CHECK(message("a = \"\\q\"").starts_with("docker-bake.hcl:1:6: the only escapes are"));
  CHECK(message("a = 1\na = 2") == "docker-bake.hcl:2:1: the attribute 'a' was already set in line 1");
  CHECK(message("a = \"%{ if true }x\"") == "docker-bake.hcl:1:6: '%{ if }' without its '%{ endif }'");
  CHECK(message("a = \"%{ wehn true }x\"").starts_with("docker-bake.hcl:1:6: unknown directive 'wehn'"));
  CHECK(message("a = <<EOT\nx\n") == "docker-bake.hcl:1:5: a heredoc without its end 'EOT'");
  CHECK(message("target \"a\" { x = 1\n y = 2 }")
            .starts_with("docker-bake.hcl:1:14: an attribute on the line of the block's '{'"));
  CHECK(message("/* x") == "docker-bake.hcl:1:1: a comment without its end '*/'");
  CHECK(message("target \"a\" {\n  x = 1 }") ==
        "docker-bake.hcl:2:9: expected a new line behind the attribute, before this '}'");
  CHECK(message("target \"a\" {\n  b {}\n  b {} }") ==
        "docker-bake.hcl:3:8: expected a new line behind the block, before this '}'");
  CHECK(message("target \"a\" { b { x = 1 } }") ==
        "docker-bake.hcl:1:14: a block in a block begins on a line of its own");
  CHECK(message("a = f([1]...,)") == "docker-bake.hcl:1:13: expected ')' behind '...', got ','");
  CHECK(message("a = { b =\n1 }") == "docker-bake.hcl:1:10: expected an expression, got the end of the line");
  CHECK(message("a = { b.c = 1 }") ==
        "docker-bake.hcl:1:7: a key with a '.' or an index is written in quotes, or in parentheses where it names a "
        "value");
  CHECK(message("a = { b[0] = 1 }").starts_with("docker-bake.hcl:1:7: a key with a '.' or an index"));
  CHECK(message("a = \"x\xff\"") == "docker-bake.hcl:1:7: a byte that is no UTF-8");
  CHECK(message("a\xc3 = 1") == "docker-bake.hcl:1:2: a byte that is no UTF-8");
  CHECK(message("\"a\" = 1") == "docker-bake.hcl:1:1: an attribute's name is written without quotes");
}

TEST_CASE("an error shows the line with a mark below the place") {
  CHECK(refusal("# x\n  a = [1 2]").detail() == "    2 |   a = [1 2]\n      |          ^");
}

TEST_CASE("a file of more than 4 MiB is refused") {
  CHECK(message(std::string((4 << 20) + 1, ' ')).ends_with("is larger than 4 MiB"));
}

TEST_CASE("nesting is bounded, however it is written") {
  const std::string many(100'000, '[');
  CHECK(message("a = " + many).ends_with("nested deeper than 200"));
  CHECK(message("a = " + std::string(100'000, '-')).ends_with("nested deeper than 200"));
  CHECK(message("a = " + std::string(100'000, '(')).ends_with("nested deeper than 200"));
  std::string text = "a = 1", blocks;
  for (int i = 0; i < 1000; ++i) text += " + 1", blocks += "b {\n";
  CHECK(message(text).ends_with("more than 200 operators in a row"));
  CHECK(message(blocks).ends_with("nested deeper than 200"));
}
