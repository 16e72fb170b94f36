#include "builder/dockerfile/ignore.hpp"

#include "tests/unit/dockerfile/support.hpp"

namespace kiln::dockerfile {
namespace {

TEST_CASE("the last pattern that matches decides, and parents count") {
  const IgnoreMatcher matcher({"*", "!src", "src/*.o"});
  CHECK(matcher.ignores("README"));
  CHECK_FALSE(matcher.ignores("src"));
  CHECK_FALSE(matcher.ignores("src/main.c"));
  CHECK(matcher.ignores("src/main.o"));
  CHECK(matcher.ignores("docs/deep/file"));
}

TEST_CASE("a walk that hands states on comes to the same verdicts") {
  const IgnoreMatcher matcher({"a", "!a/b/c", "**/*.tmp"});
  IgnoreMatcher::State root, a, b, c, other;
  CHECK(matcher.ignores("a", root, a));
  CHECK(matcher.may_reinclude_below("a"));
  CHECK(matcher.ignores("a/b", a, b));
  CHECK_FALSE(matcher.ignores("a/b/c", b, c));
  CHECK(matcher.ignores("a/b/d", b, other));
  CHECK(matcher.ignores("a/b/c/x.tmp", c, other));
  CHECK_FALSE(matcher.ignores("a/b/c"));
  CHECK(matcher.ignores("a/b/d"));
}

TEST_CASE("a folder need not be entered where no negation can lead into it") {
  const IgnoreMatcher matcher({"node_modules", "*.log", "!keep/*.log", "!**/x/y"});
  CHECK(IgnoreMatcher({"a", "!b/c"}).may_reinclude_below("a") == false);
  CHECK(IgnoreMatcher({"a", "!a"}).may_reinclude_below("a") == false);
  CHECK(IgnoreMatcher({"a", "!a/b"}).may_reinclude_below("a"));
  CHECK(IgnoreMatcher({"a", "!*/b"}).may_reinclude_below("a"));
  CHECK(IgnoreMatcher({"a", "!ab/c"}).may_reinclude_below("a") == false);
  CHECK(matcher.may_reinclude_below("node_modules"));
}

TEST_CASE("reading the file cleans its lines") {
  const std::vector<IgnoreLine> lines = ignore_lines("\xEF\xBB\xBF# no\n ./a//b/../c \r\n/x/\n!/y\n #z\n\n");
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].pattern == "a/c");
  CHECK(lines[0].number == 2);
  CHECK(lines[1].pattern == "x");
  CHECK(lines[2].pattern == "!y");
  CHECK(lines[3].pattern == "#z");
  CHECK(lines[3].number == 5);
  CHECK(read_ignore_rules("", ".dockerignore").empty());
  CHECK(has(usage_error([] { IgnoreMatcher matcher({"!"}); }), "malformed pattern '!'"));
  CHECK(has(usage_error([] { IgnoreMatcher matcher({"[a"}); }), "malformed pattern"));
}

TEST_CASE("patterns without end are refused") {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "x\n";
  CHECK(read_ignore_rules(text, ".dockerignore").ignores("x"));
  CHECK(has(usage_error([&] { read_ignore_rules(text + "y\n\n", ".dockerignore"); }),
            ".dockerignore:100001: more than 100000 patterns"));
}

TEST_CASE("what is wrong with an ignore file is told with its place") {
  CHECK(read_ignore_rules("a\n", "ctx/.dockerignore").ignores("a"));
  CHECK(has(usage_error([] { read_ignore_rules("# no\n\na\n!\n", "ctx/.dockerignore"); }),
            "ctx/.dockerignore:4: malformed pattern '!'"));
}

}  // namespace
}  // namespace kiln::dockerfile
