#include "tests/unit/dockerfile/conformance.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/paths.hpp"
#include "builder/dockerfile/ast_json.hpp"
#include "builder/dockerfile/checks.hpp"
#include "builder/dockerfile/directives.hpp"
#include "builder/dockerfile/expansion.hpp"
#include "builder/dockerfile/ignore.hpp"
#include "builder/dockerfile/line_forms.hpp"
#include "builder/dockerfile/parser.hpp"
#include "builder/dockerfile/ports.hpp"
#include "builder/dockerfile/shell_pattern.hpp"

namespace kiln::dockerfile {
namespace {

using conformance::Score;
using nlohmann::json;

// The golden trees' shape: {"cmd", "flags", "args"}, an ONBUILD's argument being such an object.
json golden_shape(const Node& node) {
  json args = node.args;
  for (const Node& child : node.children) args.push_back(golden_shape(child));
  return {{"cmd", node.keyword}, {"flags", node.flags}, {"args", args}};
}

bool parses(std::string_view text) {
  try {
    parse(text, "Dockerfile");
    return true;
  } catch (const Error& error) {
    CHECK(error.category() == Category::usage);
    CHECK_FALSE(error.detail().empty());
    return false;
  }
}

VariableLookup lookup_in(const json& environment) {
  return [environment](std::string_view name) -> std::optional<std::string> {
    if (environment.is_object()) {
      const auto found = environment.find(std::string(name));
      return found == environment.end() ? std::nullopt : std::optional(found->get<std::string>());
    }
    std::optional<std::string> value;
    for (const json& entry : environment) {
      const std::string text = entry;
      if (text.substr(0, text.find('=')) == name) value = text.substr(text.find('=') + 1);
    }
    return value;
  };
}

TEST_CASE("golden parse trees") {
  const auto folder = conformance::folder("golden parse trees");
  if (!folder) return;
  Score score("golden parse trees");
  for (const json& row : conformance::table(*folder / "parser/golden.json")) {
    const std::string name = row["name"];
    const std::string text = read_file(*folder / "parser" / row["dockerfile"].get<std::string>());
    json actual = json::array();
    for (const Node& node : parse_syntax(text, "Dockerfile").nodes) actual.push_back(golden_shape(node));
    score.row(actual == row["instructions"],
              name + "\nexpected " + row["instructions"].dump() + "\ngot " + actual.dump());
  }
}

TEST_CASE("refused Dockerfiles and line numbers") {
  const auto folder = conformance::folder("refused Dockerfiles and line numbers");
  if (!folder) return;
  Score refused("refused Dockerfiles");
  for (const auto& entry : fs::directory_iterator(*folder / "parser/testfiles-negative")) {
    refused.row(!parses(read_file(entry.path() / "Dockerfile")), entry.path().filename());
  }
  const json misc = conformance::table(*folder / "parser/misc.json");
  Score lines("line numbers");
  const auto tree = parse_syntax(read_file(*folder / "parser/testfile-line/Dockerfile"), "Dockerfile");
  json actual = json::array();
  for (const Node& node : tree.nodes) actual.push_back({node.lines.first, node.lines.last});
  lines.row(actual == misc["line_numbers"]["instructions"], actual.dump());
}

TEST_CASE("Dockerfiles of build cases") {
  const auto folder = conformance::folder("Dockerfiles of build cases");
  if (!folder) return;
  Score score("Dockerfiles of build cases that parse");
  for (const auto& suite : fs::directory_iterator(*folder / "cases")) {
    for (const auto& entry : fs::directory_iterator(suite)) {
      if (!fs::exists(entry.path() / "case.json")) continue;
      const json description = conformance::table(entry.path() / "case.json");
      if (!description.contains("expect") || description["expect"].contains("error")) continue;
      if (description.contains("setup")) continue;  // its Dockerfile is made by the runner
      const fs::path path = entry.path() / "context" / description.value("dockerfile", "Dockerfile");
      if (!fs::is_regular_file(path)) continue;
      const std::string text = read_file(path);
      if (text.find(' ') == std::string::npos) continue;  // a symbolic link that was checked out as a file
      try {
        parse(text, "Dockerfile");
        score.row(true, "");
      } catch (const Error& error) {
        score.row(false, path.string() + ": " + error.message() + "\n" + error.detail());
      }
    }
  }
}

TEST_CASE("heredoc tables") {
  const auto folder = conformance::folder("heredoc tables");
  if (!folder) return;
  const json table = conformance::table(*folder / "parser/heredocs.json");
  Score score("heredocs");
  const auto tree = parse_syntax(table["extract"]["dockerfile"].get<std::string>(), "Dockerfile");
  json actual = json::array();
  for (const json& node : ast_json(tree)) actual.push_back(node["heredocs"]);
  actual.erase(0);
  for (std::size_t i = 0; i < table["extract"]["expected"].size(); ++i) {
    const json& expected = table["extract"]["expected"][i];
    score.row(i < actual.size() && actual[i] == expected, expected.dump());
  }
  for (const std::string line : table["json_form_has_no_heredoc"]) {
    const auto one = parse_syntax("FROM x\n" + line, "Dockerfile");
    score.row(one.nodes[1].heredocs.empty(), line);
  }
  Heredoc chomped;
  chomped.content = table["chomp"]["input"];
  chomped.strip_tabs = true;
  score.row(chomped.text() == table["chomp"]["expected"], "chomp");
  for (const std::string word : table["word_is_heredoc_EOF"]) {
    const auto heredoc = heredoc_of_word(word);
    score.row(heredoc && heredoc->name == "EOF", word);
  }
  for (const std::string word : table["word_is_error"]) {
    bool failed = false;
    try {
      heredoc_of_word(word);
    } catch (const Error&) {
      failed = true;
    }
    score.row(failed, word);
  }
  for (const std::string word : table["word_is_not_heredoc"]) score.row(!heredoc_of_word(word), word);
  for (const json& row : table["line_names"]) {
    json names = json::array();
    for (const Heredoc& heredoc : heredocs_of_line(row["line"].get<std::string>())) names.push_back(heredoc.name);
    score.row(names == row["heredoc_names"], row.dump() + names.dump());
  }
}

TEST_CASE("words, JSON arrays and directives") {
  const auto folder = conformance::folder("words, JSON arrays and directives");
  if (!folder) return;
  const json table = conformance::table(*folder / "parser/misc.json");
  Score score("words, JSON arrays, directives");
  for (const json& row : table["words"]) {
    score.row(json(split_words(row["input"].get<std::string>(), '\\')) == row["expect"], row.dump());
  }
  for (const json& row : table["json_arrays"]["valid"]) {
    std::vector<std::string> words;
    const bool is_array = parse_json_words(row["in"].get<std::string>(), words) == JsonForm::array;
    score.row(is_array && json(words) == row["out"], row.dump());
  }
  for (const std::string text : table["json_arrays"]["invalid"]) {
    std::vector<std::string> words;
    bool failed = false;
    try {
      parse_json_words(text, words);
    } catch (const Error&) {
      failed = true;
    }
    score.row(failed, text);
  }
  for (const json& row : table["directives"]["syntax"]) {
    const auto found = detect_syntax(row["dockerfile"].get<std::string>());
    const bool right_line = !found || !row.contains("line") || row["line"] == found->line;
    score.row((found ? json(found->value) : json()) == row["ref"] && right_line, row.dump());
  }
  for (const json& row : table["directives"]["check"]) {
    const auto found = find_directive(row["dockerfile"].get<std::string>(), "check");
    const bool right_line = !found || !row.contains("line") || row["line"] == found->line;
    score.row((found ? json(found->value) : json()) == row["value"] && right_line, row.dump());
  }
  for (const json& row : table["directives"]["escape"]) {
    const auto tree = parse_syntax(row["dockerfile"].get<std::string>() + "FROM x\n", "Dockerfile");
    score.row(std::string(1, tree.directives.escape) == row["escape"], row.dump());
  }
  const auto warned = parse_syntax(table["empty_continuation_warning"]["dockerfile"].get<std::string>(), "Dockerfile");
  score.row(warned.empty_continuations.size() == table["empty_continuation_warning"]["warnings"],
            "empty continuation lines");
  score.row(!parses("\n\t\tFROM image\n\t\tLABEL test=" + std::string(65536, 'a') + "\n"), "too long a line");
}

TEST_CASE("ports of EXPOSE") {
  const auto folder = conformance::folder("ports of EXPOSE");
  if (!folder) return;
  Score score("ports of EXPOSE");
  const json table = conformance::table(*folder / "parser/expose_ports.json");
  for (const json& row : table["rows"]) {
    json actual = json::array();
    bool failed = false;
    try {
      const std::string spec = row["spec"];
      std::size_t start = 0;
      for (;;) {
        const std::size_t space = spec.find(' ', start);
        for (const std::string& port :
             exposed_ports(spec.substr(start, space == std::string::npos ? space : space - start))) {
          actual.push_back(port);
        }
        if (space == std::string::npos) break;
        start = space + 1;
      }
    } catch (const Error&) {
      failed = true;
    }
    score.row(row.contains("error") ? failed : !failed && actual == row["expected"], row.dump() + actual.dump());
  }
}

TEST_CASE("expansion tables") {
  const auto folder = conformance::folder("expansion tables");
  if (!folder) return;
  Score buildable("expansion, rows that a Dockerfile can hold");
  Score others("expansion, other rows");
  for (const json& row : conformance::table(*folder / "shell/expansion.json")) {
    json actual;
    std::string message;
    try {
      actual = expand_word(row["word"].get<std::string>(), lookup_in(row["env"]));
    } catch (const Error& error) {
      message = error.message();
    }
    const bool said = !row.contains("error") || !row["error"].is_string() ||
                      message.find(row["error"].get<std::string>()) != std::string::npos;
    Score& score = row.value("buildable", true) ? buildable : others;
    score.row(actual == row["expected"] && said, row.dump() + " got " + actual.dump() + message);
  }
}

TEST_CASE("word splitting and shell patterns") {
  const auto folder = conformance::folder("word splitting and shell patterns");
  if (!folder) return;
  Score score("word splitting and shell patterns");
  for (const json& row : conformance::table(*folder / "shell/words.json")) {
    json actual;
    try {
      actual = expand(row["input"].get<std::string>(), lookup_in(row["env"])).words;
    } catch (const Error&) {
      actual = nullptr;
    }
    score.row(actual == row["expected"], row.dump() + " got " + actual.dump());
  }
  const json patterns = conformance::table(*folder / "shell/patterns.json");
  for (const auto& [pattern, regex] : patterns["to_regex"].items()) {
    // The text that the escaped pattern means is removed by it and by nothing else.
    const std::string literal = pattern == "*"     ? "any"
                                : pattern == "?"   ? "x"
                                : pattern == "\\*" ? "*"
                                                   : "(()[]{}^$.*?|\\";
    score.row(ShellPattern(pattern).without_prefix(literal, ShellPattern::Length::longest).empty(), pattern);
  }
  for (const std::string pattern : patterns["invalid"]) {
    bool failed = false;
    try {
      ShellPattern compiled(pattern);
    } catch (const Error&) {
      failed = true;
    }
    score.row(failed, pattern);
  }
}

TEST_CASE("ignore files") {
  const auto folder = conformance::folder("ignore files");
  if (!folder) return;
  Score buildable("ignore patterns, rows that a context can hold");
  Score others("ignore patterns, other rows");
  for (const json& row : conformance::table(*folder / "dockerignore/patternmatcher.json")) {
    json actual;
    std::string message;
    try {
      const IgnoreMatcher matcher(row["patterns"].get<std::vector<std::string>>());
      actual = matcher.ignores(clean_path(row["path"].get<std::string>()));
    } catch (const Error& error) {
      message = error.message();
    }
    const bool passed = row.contains("error") ? actual.is_null() : actual == row["expected"];
    (row.value("buildable", true) ? buildable : others).row(passed, row.dump() + actual.dump() + message);
  }
  const json file = conformance::table(*folder / "dockerignore/ignorefile.json");
  Score score("reading an ignore file");
  json patterns = json::array();
  for (const IgnoreLine& line : ignore_lines(file["content"].get<std::string>())) patterns.push_back(line.pattern);
  score.row(patterns == file["expected"], patterns.dump());
}

// BuildKit's findings as a table row lists them; kiln's own rules are no part of the tables.
json lint_shape(const CheckReport& report) {
  std::vector<std::string> lines;
  for (const Finding& finding : report.findings) {
    if (find_rule(finding.rule)->origin != RuleOrigin::buildkit) continue;
    lines.push_back(fmt::format("{} {}: {}", finding.lines.first, finding.rule, finding.message));
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

TEST_CASE("lint tables") {
  const auto folder = conformance::folder("lint tables");
  if (!folder) return;
  Score score("lint");
  for (const char* name : {"rules.json", "docs_snippets.json"}) {
    for (const json& row : conformance::table(*folder / "lint" / name)) {
      CheckOptions options;
      const json args = row.contains("args") && row["args"].is_object() ? row["args"] : json::object();
      for (const auto& [key, value] : args.items()) options.build_args[key] = value;
      const bool ignores = row.contains("dockerignore") && row["dockerignore"].is_string();
      options.ignore = read_ignore_rules(ignores ? row["dockerignore"].get<std::string>() : "", ".dockerignore");
      const CheckReport report = check(row["dockerfile"].get<std::string>(), "Dockerfile", options);
      const json actual = lint_shape(report);
      if (row.contains("bad")) {
        const bool found = std::any_of(report.findings.begin(), report.findings.end(),
                                       [&](const Finding& finding) { return finding.rule == row["rule"]; });
        score.row(found == row["bad"], row.dump() + actual.dump());
        continue;
      }
      std::vector<std::string> expected;
      for (const json& warning : row["warnings"]) {
        expected.push_back(fmt::format("{} {}: {}", warning["line"].get<int>(), warning["rule"].get<std::string>(),
                                       warning["detail"].get<std::string>()));
      }
      std::sort(expected.begin(), expected.end());
      const bool exits = row.value("error_is_exit", false);
      const bool verdict = !exits || report.fails || report.error;
      score.row(actual == json(expected) && verdict, row.dump() + "\ngot " + actual.dump());
    }
  }
}

}  // namespace
}  // namespace kiln::dockerfile
