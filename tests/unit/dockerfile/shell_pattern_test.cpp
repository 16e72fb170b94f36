#include "builder/dockerfile/shell_pattern.hpp"

#include "tests/unit/dockerfile/support.hpp"

namespace kiln::dockerfile {
namespace {

using Length = ShellPattern::Length;

TEST_CASE("the shortest and the longest prefix and suffix") {
  CHECK(ShellPattern("*/").without_prefix("a/b/c", Length::shortest) == "b/c");
  CHECK(ShellPattern("*/").without_prefix("a/b/c", Length::longest) == "c");
  CHECK(ShellPattern("/*").without_suffix("a/b/c", Length::shortest) == "a/b");
  CHECK(ShellPattern("/*").without_suffix("a/b/c", Length::longest) == "a");
  CHECK(ShellPattern("x").without_prefix("a", Length::longest) == "a");
  CHECK(ShellPattern("?").without_suffix("a\xC3\xA9", Length::shortest) == "a");
  CHECK(ShellPattern("").without_prefix("abc", Length::longest) == "abc");
}

TEST_CASE("replacing the leftmost, longest match, once or everywhere") {
  CHECK(ShellPattern("b*").replace_first("abcb\nb", "-") == "a-\nb");
  CHECK(ShellPattern("b*").replace_all("abcb\nb", "-") == "a-\n-");
  CHECK(ShellPattern("a?a").replace_all("abacabada", "X") == "XcXda");
  CHECK(ShellPattern("").replace_all("ab", "-") == "-a-b-");
  CHECK(ShellPattern("").replace_first("ab", "-") == "-ab");
  CHECK(ShellPattern("*").replace_all("ab", "-") == "-");
  CHECK(ShellPattern("*").replace_all("", "-") == "-");
  CHECK(ShellPattern("q").replace_all("ab", "-") == "ab");
  CHECK(ShellPattern("aab").replace_first("aaab", "X") == "aX");
}

TEST_CASE("stars and marks do not cross a line end") {
  CHECK(ShellPattern("a*c").replace_first("ab\nc", "-") == "ab\nc");
  CHECK(ShellPattern("?").without_prefix("\nx", Length::longest) == "\nx");
}

TEST_CASE("a backslash makes special characters literal and vanishes before a brace or a slash") {
  CHECK(ShellPattern("\\*\\?\\\\").without_prefix("*?\\x", Length::longest) == "x");
  CHECK(ShellPattern("\\}\\/").without_prefix("}/x", Length::longest) == "x");
  CHECK(has(usage_error([] { ShellPattern pattern("\\a"); }), "invalid pattern"));
}

TEST_CASE("a large value and a pattern made to backtrack take no time") {
  const std::string large(1 << 20, 'a');
  CHECK(ShellPattern("a*b").replace_all(large, "-") == large);
  CHECK(ShellPattern("*a*a*a*a*a*b").without_prefix(large, Length::longest) == large);
  CHECK(ShellPattern("aab").replace_all(large, "-") == large);
}

}  // namespace
}  // namespace kiln::dockerfile
