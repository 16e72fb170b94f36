#include "builder/dockerfile/syntax.hpp"

#include "tests/unit/dockerfile/support.hpp"

namespace kiln::dockerfile {
namespace {

using Words = std::vector<std::string>;

TEST_CASE("a byte-order mark and carriage returns are no part of the words") {
  const auto tree = parse_syntax(
      "\xEF\xBB\xBF"
      "FROM scratch\r\nRUN a \\\r\n  b\r\n",
      "Dockerfile");
  REQUIRE(tree.nodes.size() == 2);
  CHECK(tree.nodes[0].args == Words{"scratch"});
  CHECK(tree.nodes[1].args == Words{"a   b"});
  CHECK(tree.nodes[1].lines == LineRange{2, 3});
}

TEST_CASE("instructions without end are refused at the first one too many") {
  std::string text = "FROM scratch\n";
  for (int i = 1; i < 10'000; ++i) text += "ARG A\n";
  CHECK(parse_syntax(text, "D").nodes.size() == 10'000);
  CHECK(has(usage_error([&] { parse_syntax(text + "ARG A\nARG A\n", "D"); }),
            "D:10001: this is instruction 10001 of the file, expected at most 10000"));
}

TEST_CASE("comments inside of a continuation vanish, and empty lines are noted") {
  const auto tree = parse_syntax("FROM x\nRUN a \\\n# no\n  # neither\n\n b\n", "Dockerfile");
  CHECK(tree.nodes[1].args == Words{"a  b"});
  REQUIRE(tree.empty_continuations.size() == 1);
  CHECK(tree.empty_continuations[0] == LineRange{2, 6});
}

TEST_CASE("the escape directive changes the continuation character and frees the backslash") {
  const auto tree = parse_syntax("# escape=`\nFROM x\nRUN dir C:\\\nRUN a `\nb\n", "Dockerfile");
  REQUIRE(tree.nodes.size() == 3);
  CHECK(tree.nodes[1].args == Words{"dir C:\\"});
  CHECK(tree.nodes[2].args == Words{"a b"});
}

TEST_CASE("an escaped escape at the end of a line does not continue it") {
  const auto tree = parse_syntax("FROM x\nENV A b\\\\\nENV C d\n", "Dockerfile");
  CHECK(tree.nodes.size() == 3);
}

TEST_CASE("directives stand above everything else, once each") {
  CHECK(parse_syntax("# syntax=docker/dockerfile:1 // x\n# check=skip=all\nFROM x\n", "D").directives.check->value ==
        "skip=all");
  CHECK_FALSE(parse_syntax("# a comment\n# check=skip=all\nFROM x\n", "D").directives.check);
  CHECK(has(usage_error([] { parse_syntax("# escape=`\n# escape=`\nFROM x\n", "D"); }), "only one 'escape'"));
  CHECK(has(usage_error([] { parse_syntax("# escape=x\nFROM x\n", "D"); }), "'\\' or '`', got 'x'"));
}

TEST_CASE("heredoc bodies follow their line in order, whatever they hold") {
  const auto tree = parse_syntax("FROM x\nCOPY <<A <<-'B' /d/\n# kept\nB\nA\n\t\\\n\tB\nRUN true\n", "Dockerfile");
  REQUIRE(tree.nodes.size() == 3);
  const auto& heredocs = tree.nodes[1].heredocs;
  REQUIRE(heredocs.size() == 2);
  CHECK(heredocs[0].content == "# kept\nB\n");
  CHECK(heredocs[0].expand);
  CHECK(heredocs[1].content == "\t\\\n");
  CHECK(heredocs[1].text() == "\\\n");
  CHECK_FALSE(heredocs[1].expand);
  CHECK(tree.nodes[1].lines == LineRange{2, 7});
  CHECK(tree.nodes[2].lines == LineRange{8, 8});
}

TEST_CASE("a heredoc without end names its line and shows it") {
  try {
    parse_syntax("FROM x\nRUN <<EOF\nls\n", "images/a/Dockerfile");
    FAIL("accepted");
  } catch (const Error& error) {
    CHECK(has(error.message(), "images/a/Dockerfile:2: the heredoc 'EOF' has no end"));
    CHECK(has(error.detail(), "2 | >>> RUN <<EOF"));
  }
}

TEST_CASE("a command that only a shell understands holds no heredoc") {
  CHECK(parse_syntax("FROM x\nRUN echo ${x^^} $((1<<2))\n", "D").nodes[1].heredocs.empty());
  CHECK(parse_syntax("FROM x\nRUN cat <<<word\n", "D").nodes[1].heredocs.empty());
}

TEST_CASE("flags end at the first word without two dashes") {
  const auto node =
      parse_syntax("FROM x\nRUN --mount=type=tmpfs,target=\"/a b\" --network=none ls --all\n", "D").nodes[1];
  CHECK(node.flags == Words{"--mount=type=tmpfs,target=/a b", "--network=none"});
  CHECK(node.args == Words{"ls --all"});
}

TEST_CASE("a JSON array of strings is the exec form, anything else that begins with a bracket is text") {
  CHECK(parse_syntax("FROM x\nCMD [\"a\", \"b c\"]\n", "D").nodes[1].json);
  CHECK_FALSE(parse_syntax("FROM x\nCMD ['a']\n", "D").nodes[1].json);
  CHECK_FALSE(parse_syntax("FROM x\nCMD [\"a\"] b\n", "D").nodes[1].json);
  CHECK(has(usage_error([] { parse_syntax("FROM x\nCMD [\"a\", 1]\n", "D"); }), "strings only, got number"));
  CHECK(parse_syntax("FROM x\nCMD [\"\xE9\"]\n", "D").nodes[1].args == Words{"\xEF\xBF\xBD"});
}

TEST_CASE("comments above an instruction belong to it until an empty comment") {
  const auto tree = parse_syntax("# gone\n#\n# base is for all\nFROM x AS base\nRUN a\n", "D");
  CHECK(tree.nodes[0].comments == Words{"base is for all"});
  CHECK(tree.nodes[1].comments.empty());
}

TEST_CASE("a file without instructions and a line beyond the bound are refused") {
  CHECK(has(usage_error([] { parse_syntax("", "D"); }), "D:1: the file holds no instructions"));
  CHECK(has(usage_error([] { parse_syntax("# only\n\n", "D"); }), "no instructions"));
  CHECK(has(usage_error([] { parse_syntax("FROM x\nRUN " + std::string(70000, 'a'), "D"); }), "65535"));
  CHECK(has(usage_error([] { parse_syntax("FROM x\nRUN " + std::string(65531, 'a') + "\n", "D"); }), "65535"));
  CHECK(parse_syntax("FROM x\nRUN " + std::string(65530, 'a') + "\n", "D").nodes.size() == 2);
}

TEST_CASE("a file of more than 10,000 instructions is refused") {
  std::string text = "FROM x\n";
  for (int i = 1; i < 10'000; ++i) text += "ARG A\n";
  CHECK(parse_syntax(text, "D").nodes.size() == 10'000);
  CHECK(has(usage_error([&] { parse_syntax(text + "ARG A\n", "D"); }), "D:10001: "));
}

TEST_CASE("onbuild after onbuild ends at a bound instead of the stack's") {
  std::string text = "FROM x\n";
  for (int i = 0; i < 5000; ++i) text += "ONBUILD ";
  CHECK(has(usage_error([&] { parse_syntax(text + "RUN a\n", "D"); }), "ONBUILD"));
}

}  // namespace
}  // namespace kiln::dockerfile
