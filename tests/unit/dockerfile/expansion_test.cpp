#include "builder/dockerfile/expansion.hpp"

#include <map>

#include "tests/unit/dockerfile/support.hpp"

namespace kiln::dockerfile {
namespace {

using Words = std::vector<std::string>;

std::optional<std::string> value(std::string_view name) {
  static const std::map<std::string, std::string, std::less<>> values = {
      {"x", "one"}, {"empty", ""}, {"path", "/usr/local/lib/a.tar.gz"}, {"list", "a b"}, {"backslash", "\\b"}};
  const auto found = values.find(name);
  return found == values.end() ? std::nullopt : std::optional(found->second);
}

TEST_CASE("used and unset variables are reported") {
  const Expansion out = expand("$x-${nope:-$empty}", value);
  CHECK(out.text == "one-");
  CHECK(out.used == std::set<std::string>{"x", "empty"});
  CHECK(out.unset == std::set<std::string>{"nope"});
}

TEST_CASE("prefixes, suffixes and replacements") {
  CHECK(expand_word("${path##*/}", value) == "a.tar.gz");
  CHECK(expand_word("${path#*/}", value) == "usr/local/lib/a.tar.gz");
  CHECK(expand_word("${path%.*}", value) == "/usr/local/lib/a.tar");
  CHECK(expand_word("${path%%.*}", value) == "/usr/local/lib/a");
  CHECK(expand_word("${path/l?/L}", value) == "/usr/Lcal/lib/a.tar.gz");
  CHECK(expand_word("${path//\\//:}", value) == ":usr:local:lib:a.tar.gz");
  CHECK(expand_word("${path//[a]/b}", value) == "/usr/local/lib/a.tar.gz");
  CHECK(expand_word("${empty//*/b}", value) == "b");
  // BuildKit hands these to Go's regexp, which takes them for groups and drops them.
  CHECK(expand_word("${path//\\//\\$1}", value) == "\\$1usr\\$1local\\$1lib\\$1a.tar.gz");
  CHECK(expand_word("${path//\\//'$A'}", value) == "$Ausr$Alocal$Alib$Aa.tar.gz");
  CHECK(expand_word("${empty//*/\\${A}}", value) == "\\${A}");
}

TEST_CASE("quotes: processed, kept, literal") {
  CHECK(expand("'$x' \"$x\"", value).text == "$x one");
  CHECK(expand("'$x' \"$x\" \\$x", value, {'\\', Quotes::keep}).text == "'$x' \"one\" \\$x");
  CHECK(expand_word("${backslash#'\\'}", value) == "b");
  CHECK(expand_word("${backslash/'\\'/'\\'}", value) == "\\b");
  CHECK(expand("it's $x \\$x", value, {'\\', Quotes::literal}).text == "it's one $x");
}

TEST_CASE("the escape character of the directive counts") {
  CHECK(expand_word("C:\\$x `$x", value, '`') == "C:\\one $x");
}

TEST_CASE("words split where a variable brought white space, unless it is quoted") {
  CHECK(expand("$list \"$list\" ''", value).words == Words{"a", "b", "a b"});
  CHECK(expand("  a\\ b  ", value).words == Words{"a b"});
}

TEST_CASE("errors quote the word and say what is wrong") {
  CHECK(usage_error([] { expand_word("a${nope:?set it}", value); }) ==
        "cannot expand 'a${nope:?set it}': nope: set it");
  CHECK(has(usage_error([] { expand_word("${empty:?}", value); }), "is not allowed to be empty"));
  CHECK(has(usage_error([] { expand_word("${x", value); }), "missing '}'"));
  CHECK(has(usage_error([] { expand_word("${x^^}", value); }), "unsupported modifier '^'"));
  CHECK(has(usage_error([] { expand_word("\"a", value); }), "closing double quote"));
}

TEST_CASE("what would eat stack or memory is refused") {
  std::string deep;
  for (int i = 0; i < 20000; ++i) deep += "${a:-";
  CHECK(has(usage_error([&] { expand_word(deep, value); }), "nested too deeply"));
  const std::string large(1 << 20, 'a');
  std::string many;
  for (int i = 0; i < 3; ++i) many += "$v";
  CHECK(has(usage_error([&] { expand_word(many, [&](std::string_view) { return std::optional(large); }); }),
            "variables make it longer by more than 2.10 MB"));
  const std::string written(5 << 20, 'a');
  CHECK(expand_word(written + "$v", [&](std::string_view) { return std::optional(large); }).size() == 6 << 20);
  // Empty text between all bytes, over and over.
  std::string between = "${v//a/b}";
  for (int i = 0; i < 9; ++i) between = "${v///" + between + "}";
  CHECK(has(
      usage_error([&] { expand_word(between, [&](std::string_view) { return std::optional(std::string(20, 'a')); }); }),
      "modifiers of variables make more than 2.10 MB"));
  const auto nested = [](int levels) {
    std::string text;
    for (int i = 0; i < levels; ++i) text += "${no:-";
    return text + std::string(levels, '}');
  };
  CHECK(expand_word(nested(200), value).empty());
  CHECK(has(usage_error([&] { expand_word(nested(201), value); }), "nested too deeply"));
}

}  // namespace
}  // namespace kiln::dockerfile
