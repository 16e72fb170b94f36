#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/dockerfile/line_forms.hpp"
#include "builder/dockerfile/syntax.hpp"
#include "builder/dockerfile/utf8.hpp"
#include "builder/dockerfile/word_lexer.hpp"

namespace kiln::dockerfile {
namespace {

std::optional<std::string> nothing_is_set(std::string_view) { return std::nullopt; }

long quotes_in(const std::string& word) {
  return std::count(word.begin(), word.end(), '\'') + std::count(word.begin(), word.end(), '"');
}

}  // namespace

std::string Heredoc::text() const {
  if (!strip_tabs) return content;
  std::string out;
  bool at_line_start = true;
  for (char c : content) {
    if (at_line_start && c == '\t') continue;
    out += c;
    at_line_start = c == '\n';
  }
  return out;
}

std::optional<Heredoc> heredoc_of_word(std::string_view word) {
  std::size_t digits = 0;
  while (digits < word.size() && is_digit(static_cast<unsigned char>(word[digits]))) ++digits;
  std::string_view rest = word.substr(digits);
  if (rest.substr(0, 2) != "<<") return std::nullopt;
  rest.remove_prefix(2);
  Heredoc heredoc;
  if (!rest.empty() && rest[0] == '-') {
    heredoc.strip_tabs = true;
    rest.remove_prefix(1);
  }
  rest = trim_left_spaces(rest);
  if (rest.empty() || rest.find('<') != std::string_view::npos) return std::nullopt;

  LexerOptions plain;
  plain.keep_unset = true;
  LexerOptions quoted = plain;
  quoted.keep_quotes = true;
  const auto names = lex_word(rest, nothing_is_set, plain).words;
  if (names.size() != 1) return std::nullopt;
  const auto raw = lex_word(rest, nothing_is_set, quoted).words;
  heredoc.name = names[0];
  // A name of which any part was quoted turns expansion off, as in a shell.
  heredoc.expand = raw.size() == 1 && quotes_in(raw[0]) == quotes_in(names[0]);
  heredoc.fd = static_cast<unsigned>(parse_unsigned(word.substr(0, digits)).value_or(0));
  return heredoc;
}

std::vector<Heredoc> heredocs_of_line(std::string_view line) {
  LexerOptions options;
  options.keep_quotes = options.keep_escapes = options.keep_unset = true;
  std::vector<std::string> words;
  try {
    words = lex_word(line, nothing_is_set, options).words;
  } catch (const Error&) {
    return {};  // a command that only a shell can read (`${x^^}`, an open quote) holds no heredoc for docker
  }
  std::vector<Heredoc> out;
  for (const std::string& word : words) {
    if (auto heredoc = heredoc_of_word(word)) out.push_back(std::move(*heredoc));
  }
  return out;
}

}  // namespace kiln::dockerfile
