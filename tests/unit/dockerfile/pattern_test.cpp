#include "builder/dockerfile/pattern.hpp"

#include "builder/dockerfile/ignore.hpp"
#include "tests/unit/dockerfile/support.hpp"

namespace kiln::dockerfile {
namespace {

TEST_CASE("match_pattern keeps stars inside of one folder") {
  CHECK(match_pattern("*.txt", "a.txt"));
  CHECK_FALSE(match_pattern("*", "a/b"));
  CHECK(match_pattern("a/*/c", "a/b/c"));
  CHECK(match_pattern("a?c",
                      "a\xC3\xA9"
                      "c"));
  CHECK(match_pattern("[a-c]x", "bx"));
  CHECK(match_pattern("[^a-c]x", "dx"));
  CHECK_FALSE(match_pattern("[^a]", "/"));
  CHECK(match_pattern("a\\*b", "a*b"));
  CHECK_FALSE(match_pattern("a\\*b", "axb"));
  for (const char* bad : {"[", "[a", "[]", "[a-]", "a\\", "[-a]"}) {
    CHECK(has(usage_error([&] { match_pattern(bad, "x"); }), "malformed pattern"));
  }
}

TEST_CASE("wildcards are seen, escaped ones are not") {
  CHECK(has_wildcards("a*"));
  CHECK(has_wildcards("[a]"));
  CHECK_FALSE(has_wildcards("a\\*b"));
  CHECK_FALSE(has_wildcards("a/b"));
}

TEST_CASE("two stars cross folders") {
  CHECK(PathPattern("**/a").matches("a"));
  CHECK(PathPattern("**/a").matches("x/y/a"));
  CHECK_FALSE(PathPattern("**/a").matches("xa"));
  CHECK(PathPattern("**a").matches("xa"));
  CHECK(PathPattern("a/**").matches("a/b/c"));
  CHECK_FALSE(PathPattern("a/**").matches("a"));
  CHECK(PathPattern("a/**/z").matches("a/z"));
  CHECK(PathPattern("a/**/z").matches("a/b/c/z"));
  CHECK(PathPattern("**/*.go").matches("a/b.go"));
  CHECK(PathPattern("**").matches("anything/at/all"));
}

TEST_CASE("a pattern made to backtrack takes no time") {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  CHECK_FALSE(match_pattern(pattern + "b", std::string(4000, 'a')));
  CHECK_FALSE(PathPattern("**/" + pattern + "b").matches(std::string(4000, 'a')));
}

TEST_CASE("stars behind stars say no more than one of them") {
  for (const std::string_view stars : {"**", "****", "**/**", "**/**/**", "******"}) {
    CAPTURE(stars);
    const PathPattern rest("a/" + std::string(stars));
    for (const char* path : {"a/b", "a/b/c"}) CHECK(rest.matches(path));
    CHECK_FALSE(rest.matches("b/a"));
    const PathPattern folders(std::string(stars) + "/z[y]");
    for (const char* path : {"zy", "a/zy", "a/b/zy"}) CHECK(folders.matches(path));
    CHECK_FALSE(folders.matches("azy"));
  }
  CHECK(PathPattern("a***z").matches("a/bz"));
  CHECK_FALSE(PathPattern("a***z").matches("a/b/c"));
  CHECK(match_pattern("a****z", "abz"));
  CHECK_FALSE(match_pattern("a****z", "a/z"));
}

TEST_CASE("a pattern of more than 4096 bytes is refused") {
  const std::string longest(4096, '*');
  CHECK(PathPattern(longest).matches("a/b"));
  CHECK(match_pattern(longest, "a"));
  const std::string expected = "malformed pattern '" + std::string(200, '*') + "...': it has more than 4096 bytes";
  CHECK(has(usage_error([&] { PathPattern(longest + "*"); }), expected));
  CHECK(has(usage_error([&] { match_pattern(longest + "*", "a"); }), expected));
  CHECK(has(usage_error([&] { read_ignore_rules("a\n" + longest + "*\n", ".dockerignore"); }),
            ".dockerignore:2: " + expected));
}

}  // namespace
}  // namespace kiln::dockerfile
