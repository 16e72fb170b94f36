#include "builder/dockerfile/line_forms.hpp"

#include <fmt/format.h>

#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"
#include "builder/dockerfile/utf8.hpp"

namespace kiln::dockerfile {
namespace {

constexpr int kMaxOnbuildDepth = 8;

bool separates(char c) { return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r'; }

// White space in ASCII: flags are read byte by byte, and a byte of a longer character is none.
bool is_blank(char c) { return separates(c) || c == '\n'; }

// At runs of white space; a text that begins or ends with some has an empty word there.
std::vector<std::string> split_at_spaces(std::string_view text, std::size_t at_most = std::string_view::npos) {
  std::vector<std::string> out;
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size() && out.size() + 1 < at_most;) {
    if (!separates(text[i])) {
      ++i;
      continue;
    }
    out.emplace_back(text.substr(start, i - start));
    while (i < text.size() && separates(text[i])) ++i;
    start = i;
  }
  out.emplace_back(text.substr(start));
  return out;
}

// Takes the words that begin with "--" off the front of `rest`. Quotes and '\' group and vanish in them; "--"
// alone ends them.
std::vector<std::string> take_flags(std::string_view& rest) {
  std::vector<std::string> flags;
  std::size_t i = 0;
  for (;;) {
    while (i < rest.size() && is_blank(rest[i])) ++i;
    if (rest.substr(i, 2) != "--") break;
    std::string word;
    char quote = '\0';
    bool quoted = false;
    for (; i < rest.size(); ++i) {
      const char c = rest[i];
      if (quote == '\0' && is_blank(c)) break;
      if (c == '\\') {
        if (i + 1 == rest.size()) continue;
        word += rest[++i];
      } else if (quote != '\0') {
        if (c == quote) {
          quote = '\0';
        } else {
          word += c;
        }
      } else if (c == '\'' || c == '"') {
        quote = c;
        quoted = true;
      } else {
        word += c;
      }
    }
    if (word == "--") break;
    if (quoted || !word.empty()) flags.push_back(std::move(word));
  }
  rest.remove_prefix(i);
  return flags;
}

using Form = std::function<void(std::string_view rest, char escape, Node& node)>;

void whole_rest(std::string_view rest, char, Node& node) {
  if (!rest.empty()) node.args.emplace_back(rest);
}

void space_separated(std::string_view rest, char, Node& node) {
  if (!rest.empty()) node.args = split_at_spaces(rest);
}

void json_or_whole_rest(std::string_view rest, char escape, Node& node) {
  node.json = !rest.empty() && parse_json_words(rest, node.args) == JsonForm::array;
  if (!node.json) whole_rest(rest, escape, node);
}

void json_or_words(std::string_view rest, char escape, Node& node) {
  node.json = parse_json_words(rest, node.args) == JsonForm::array;
  if (!node.json) space_separated(rest, escape, node);
}

void names_with_values(std::string_view rest, char escape, Node& node) { node.args = split_words(rest, escape); }

// HEALTHCHECK: a type, then JSON or the rest.
void type_then_json(std::string_view rest, char escape, Node& node) {
  std::size_t end = 0;
  while (end < rest.size() && !is_blank(rest[end])) ++end;
  if (end == 0) return;
  json_or_whole_rest(trim_left_spaces(rest.substr(end)), escape, node);
  node.args.emplace(node.args.begin(), rest.substr(0, end));
}

// ENV and LABEL: `key=value ...`, or `key value` with one pair where the first word holds no '='.
void key_value_pairs(std::string_view rest, char escape, Node& node) {
  const auto words = split_words(rest, escape);
  if (words.empty()) return;
  if (words[0].find('=') == std::string::npos) {
    const auto parts = split_at_spaces(rest, 2);
    if (parts.size() < 2) {
      throw Error(Category::usage, fmt::format("{} '{}' has no value; write {} {}=VALUE", to_upper(node.keyword),
                                               printable(words[0]), to_upper(node.keyword), printable(words[0])));
    }
    node.args = {parts[0], parts[1], ""};
    return;
  }
  for (const std::string& word : words) {
    const auto equals = word.find('=');
    if (equals == std::string::npos) {
      throw Error(Category::usage, fmt::format("no '=' in '{}'; {} takes name=value pairs, with quotes around values "
                                               "that hold spaces",
                                               printable(word), to_upper(node.keyword)));
    }
    node.args.push_back(word.substr(0, equals));
    node.args.push_back(word.substr(equals + 1));
    node.args.emplace_back("=");
  }
}

Node node_at_depth(std::string_view line, char escape, int depth);

const std::map<std::string, Form, std::less<>>& forms() {
  static const std::map<std::string, Form, std::less<>> table = {
      {"add", json_or_words},
      {"arg", names_with_values},
      {"cmd", json_or_whole_rest},
      {"copy", json_or_words},
      {"entrypoint", json_or_whole_rest},
      {"env", key_value_pairs},
      {"expose", space_separated},
      {"from", space_separated},
      {"healthcheck", type_then_json},
      {"label", key_value_pairs},
      {"maintainer", whole_rest},
      {"run", json_or_whole_rest},
      {"shell", json_or_whole_rest},
      {"stopsignal", whole_rest},
      {"user", whole_rest},
      {"volume", json_or_words},
      {"workdir", whole_rest},
  };
  return table;
}

Node node_at_depth(std::string_view line, char escape, int depth) {
  Node node;
  node.original = line;
  const auto parts = split_at_spaces(trim_spaces(line), 2);
  node.keyword_as_written = parts[0];
  node.keyword = to_lower(parts[0]);
  std::string_view rest = parts.size() == 2 ? std::string_view(parts[1]) : std::string_view();
  node.flags = take_flags(rest);
  rest = trim_spaces(rest);
  if (node.keyword == "onbuild") {
    if (depth >= kMaxOnbuildDepth) throw Error(Category::usage, "ONBUILD may not trigger ONBUILD");
    if (!rest.empty()) node.children.push_back(node_at_depth(rest, escape, depth + 1));
  } else if (const auto form = forms().find(node.keyword); form != forms().end()) {
    form->second(rest, escape, node);
  }
  return node;
}

}  // namespace

JsonForm parse_json_words(std::string_view text, std::vector<std::string>& words) {
  text = trim_left_spaces(text);
  if (text.empty() || text.front() != '[') return JsonForm::not_json;
  // Bytes that are no UTF-8 do not make an array a text; docker reads each as U+FFFD.
  std::string valid;
  for (std::size_t i = 0; i < text.size();) {
    const Rune rune = rune_at(text, i);
    const bool invalid = rune.size == 1 && rune.value >= 0x80;
    valid += invalid ? std::string_view("\xEF\xBF\xBD") : text.substr(i, rune.size);
    i += rune.size;
  }
  const auto json = try_parse_json(valid);
  if (!json || !json->is_array()) return JsonForm::not_json;
  std::vector<std::string> out;
  for (const auto& entry : *json) {
    if (!entry.is_string()) {
      throw Error(Category::usage, fmt::format("a JSON array of a command may hold strings only, got {} in '{}'",
                                               entry.type_name(), printable(text.substr(0, 120))));
    }
    out.push_back(entry.get<std::string>());
  }
  words = std::move(out);
  return JsonForm::array;
}

std::vector<std::string> split_words(std::string_view text, char escape) {
  std::vector<std::string> words;
  std::string word;
  bool quoted = false;  // a word of nothing but quotes counts
  char quote = '\0';
  const auto finish = [&] {
    if (quoted || !word.empty()) words.push_back(std::move(word));
    word.clear();
    quoted = false;
  };
  for (std::size_t i = 0; i < text.size();) {
    const Rune rune = rune_at(text, i);
    const char c = text[i];
    if (quote == '\0' && is_space(rune.value)) {
      finish();
      i += rune.size;
      continue;
    }
    if (c == escape && quote != '\'') {
      if (i + 1 == text.size()) break;  // an escape at the very end is dropped
      const Rune escaped = rune_at(text, i + 1);
      word += text.substr(i, 1 + escaped.size);
      i += 1 + escaped.size;
      continue;
    }
    if (quote == '\0' && (c == '\'' || c == '"')) {
      quote = c;
      quoted = true;
    } else if (quote != '\0' && c == quote) {
      quote = '\0';
    }
    word += text.substr(i, rune.size);
    i += rune.size;
  }
  finish();
  return words;
}

Node node_of_line(std::string_view line, char escape) { return node_at_depth(line, escape, 0); }

}  // namespace kiln::dockerfile
