#include "builder/definitions/hcl/pattern.hpp"

#include <doctest/doctest.h>

#include "builder/definitions/hcl/convert.hpp"

using kiln::hcl::Pattern;
using kiln::hcl::ValueError;

namespace {

std::string found(const char* pattern, const std::string& text) {
  const auto match = Pattern(pattern).find(text, 0);
  if (match.empty()) return "(none)";
  return text.substr(match[0]->first, match[0]->second - match[0]->first);
}

std::string refusal(const char* pattern) {
  try {
    Pattern ignored(pattern);
  } catch (const ValueError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("the leftmost match is found, alternatives in their order") {
  CHECK(found("b+", "abbbc") == "bbb");
  CHECK(found("b+?", "abbbc") == "b");
  CHECK(found("a|ab", "ab") == "a");
  CHECK(found("^b", "ab") == "(none)");
  CHECK(found("(?m)^b", "a\nb") == "b");
  CHECK(found("[^a-c]+", "abcxyz") == "xyz");
  CHECK(found("(?i)[a-c]+", "xABCx") == "ABC");
  CHECK(found("a{2}b{0,1}$", "aaab") == "aab");
  CHECK(found("(ab){1,2}", "ababab") == "abab");
  CHECK(found("a{1,3}?", "aaa") == "a");
  CHECK(found("(a{0,2}b){1,2}$", "baabab") == "aabab");
  CHECK(found("(a?){0,50}b", "aab") == "aab");
  CHECK(found("\\Qa.b\\E", "axb a.b") == "a.b");
  CHECK(found("\xC3\xA9+", "caf\xC3\xA9\xC3\xA9") == "\xC3\xA9\xC3\xA9");
  CHECK(found(".", "\n") == "(none)");
  CHECK(found("(?s).", "\n") == "\n");
  CHECK(found("a{,2}", "a{,2}") == "a{,2}");
}

TEST_CASE("groups are known by number and by name") {
  const Pattern pattern("(?P<key>\\w+)=(?P<value>\\w*)");
  CHECK(pattern.group_names() == std::vector<std::string>{"key", "value"});
  CHECK(pattern.replace_all("a=1,b=2", "${value}:$key") == "1:a,2:b");
  CHECK(Pattern("(a)(b)?").replace_all("a ab", "[$1$2$$]") == "[a$] [ab$]");
  CHECK(Pattern("(a)|(b)").find("b", 0)[1] == std::nullopt);
}

TEST_CASE("what RE2 does not have is refused with the reason") {
  CHECK(refusal("(?=a)").find("look-around") != std::string::npos);
  CHECK(refusal("(a").ends_with("a '(' without its ')'"));
  CHECK(refusal("a)").ends_with("a ')' too many"));
  CHECK(refusal("[b-a]").ends_with("a range that goes backwards"));
  CHECK(refusal("*a").ends_with("a repetition of nothing"));
  CHECK(refusal("(a)\\1").ends_with("unknown escape '\\1'"));
  CHECK(refusal("(((a{900}){900}){900})").ends_with("the pattern is too large"));
}

TEST_CASE("matching takes no time that grows beyond pattern times text") {
  const std::string text(20'000, 'a');
  CHECK(found("(a*)*b", text) == "(none)");
  CHECK(found("(a|aa)+$", text) == text);
}

TEST_CASE("a text is refused where pattern times text is more than 50,000,000") {
  const auto answer_of = [](std::size_t bytes) -> std::string {
    try {
      return Pattern("b{1000}").find(std::string(bytes, 'a'), 0).empty() ? "no match" : "a match";
    } catch (const ValueError& error) {
      return error.what();
    }
  };
  CHECK(answer_of(40'000) == "no match");
  CHECK(answer_of(50'001) == "the text is too long for this pattern");
}
