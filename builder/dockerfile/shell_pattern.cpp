#include "builder/dockerfile/shell_pattern.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/dockerfile/utf8.hpp"

namespace kiln::dockerfile {
namespace {

using Characters = std::vector<std::string_view>;

Characters characters_of(std::string_view text) {
  Characters out;
  for (std::size_t i = 0; i < text.size();) {
    const Rune rune = rune_at(text, i);
    out.push_back(text.substr(i, rune.size));
    i += rune.size;
  }
  return out;
}

std::string joined(const Characters& characters, std::size_t from, std::size_t to) {
  std::string out;
  for (std::size_t i = from; i < to; ++i) out += characters[i];
  return out;
}

// Where a match that begins at `start` may end: the set of positions reachable token by token. The shortest
// and the longest of them are what a lazy and a greedy matcher would find.
template <class Tokens>
std::optional<std::size_t> match_end(const Tokens& tokens, const Characters& text, std::size_t start,
                                     ShellPattern::Length length) {
  using Kind = typename Tokens::value_type::Kind;
  std::vector<char> reached(text.size() - start + 1, 0);
  std::vector<char> next(reached.size(), 0);
  reached[0] = 1;
  for (const auto& token : tokens) {
    std::fill(next.begin(), next.end(), 0);
    bool any = false;
    if (token.kind == Kind::any_text) {
      bool open = false;
      for (std::size_t i = 0; i < reached.size(); ++i) {
        open = open || reached[i];
        next[i] = open;
        any = any || open;
        if (i + 1 < reached.size() && text[start + i] == "\n") open = false;
      }
    } else {
      for (std::size_t i = 0; i + 1 < reached.size(); ++i) {
        if (!reached[i]) continue;
        const std::string_view character = text[start + i];
        const bool fits = token.kind == Kind::any_character ? character != "\n" : character == token.text;
        next[i + 1] = fits;
        any = any || fits;
      }
    }
    if (!any) return std::nullopt;
    reached.swap(next);
  }
  if (length == ShellPattern::Length::shortest) {
    return start + static_cast<std::size_t>(std::find(reached.begin(), reached.end(), 1) - reached.begin());
  }
  return start + reached.size() - 1 -
         static_cast<std::size_t>(std::find(reached.rbegin(), reached.rend(), 1) - reached.rbegin());
}

}  // namespace

ShellPattern::ShellPattern(std::string_view pattern) {
  for (std::size_t i = 0; i < pattern.size();) {
    const Rune rune = rune_at(pattern, i);
    const std::string_view character = pattern.substr(i, rune.size);
    i += rune.size;
    if (character == "*") {
      tokens_.push_back({Token::Kind::any_text, {}});
    } else if (character == "?") {
      tokens_.push_back({Token::Kind::any_character, {}});
    } else if (character == "\\") {
      const char escaped = i < pattern.size() ? pattern[i] : '\0';
      if (escaped == '}' || escaped == '/') continue;
      if (escaped != '*' && escaped != '?' && escaped != '\\') {
        throw Error(
            Category::usage,
            fmt::format("invalid pattern '{}': '\\' may stand before '*', '?', '\\', '/' and '}}' only",
                        printable(pattern)));
      }
      tokens_.push_back({Token::Kind::literal, std::string(1, escaped)});
      ++i;
    } else {
      tokens_.push_back({Token::Kind::literal, std::string(character)});
    }
  }
}

std::string ShellPattern::without_prefix(std::string_view text, Length length) const {
  const Characters characters = characters_of(text);
  const auto end = match_end(tokens_, characters, 0, length);
  return end ? joined(characters, *end, characters.size()) : std::string(text);
}

std::string ShellPattern::without_suffix(std::string_view text, Length length) const {
  Characters reversed = characters_of(text);
  std::reverse(reversed.begin(), reversed.end());
  const std::vector<Token> tokens(tokens_.rbegin(), tokens_.rend());
  const auto end = match_end(tokens, reversed, 0, length);
  if (!end) return std::string(text);
  Characters kept(reversed.rbegin(), reversed.rend() - static_cast<std::ptrdiff_t>(*end));
  return joined(kept, 0, kept.size());
}

std::string ShellPattern::replace_first(std::string_view text, std::string_view replacement) const {
  const Characters characters = characters_of(text);
  for (std::size_t start = 0; start <= characters.size(); ++start) {
    if (const auto end = match_end(tokens_, characters, start, Length::longest)) {
      return joined(characters, 0, start) + std::string(replacement) +
             joined(characters, *end, characters.size());
    }
  }
  return std::string(text);
}

std::string ShellPattern::replace_all(std::string_view text, std::string_view replacement) const {
  const Characters characters = characters_of(text);
  std::string out;
  bool after_match = false;  // an empty match directly behind another match does not count
  for (std::size_t start = 0; start <= characters.size();) {
    const auto end = match_end(tokens_, characters, start, Length::longest);
    if (end && (*end > start || !after_match)) out += replacement;
    if (end && *end > start) {
      start = *end;
      after_match = true;
      continue;
    }
    after_match = false;
    if (start < characters.size()) out += characters[start];
    ++start;
  }
  return out;
}

}  // namespace kiln::dockerfile
