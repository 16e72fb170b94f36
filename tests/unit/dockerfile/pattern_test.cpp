#include "builder/dockerfile/pattern.hpp"

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

}  // namespace
}  // namespace kiln::dockerfile
