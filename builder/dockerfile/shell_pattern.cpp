#include "builder/dockerfile/shell_pattern.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
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

enum class Anchor { here, anywhere };

struct Match {
  std::size_t start = 0;
  std::size_t end = 0;
};

// Follows all ways through the pattern at once, remembering for each position in the pattern the earliest
// start that leads there. So the leftmost match is found in one pass, and among those from one start the
// shortest or longest.
template <class Tokens>
std::optional<Match> find_match(const Tokens& tokens, const Characters& text, std::size_t from, Anchor anchor,
                                ShellPattern::Length length) {
  using TokenKind = typename Tokens::value_type::Kind;
  constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  const std::size_t last = tokens.size();
  std::vector<std::size_t> starts(last + 1, kNone);
  std::vector<std::size_t> next(last + 1, kNone);
  std::optional<Match> best;
  for (std::size_t position = from;; ++position) {
    if (!best && (anchor == Anchor::anywhere || position == from)) starts[0] = std::min(starts[0], position);
    for (std::size_t i = 0; i < last; ++i) {
      if (tokens[i].kind == TokenKind::any_text) starts[i + 1] = std::min(starts[i + 1], starts[i]);
    }
    if (starts[last] != kNone && (!best || starts[last] <= best->start)) {
      best = Match{starts[last], position};
      if (length == ShellPattern::Length::shortest) return best;
    }
    if (position >= text.size()) return best;
    std::fill(next.begin(), next.end(), kNone);
    bool alive = !best && anchor == Anchor::anywhere;
    const std::string_view character = text[position];
    for (std::size_t i = 0; i < last; ++i) {
      if (starts[i] == kNone || (best && starts[i] > best->start)) continue;
      const bool fits = tokens[i].kind == TokenKind::literal ? character == tokens[i].text : character != "\n";
      if (!fits) continue;
      const std::size_t to = tokens[i].kind == TokenKind::any_text ? i : i + 1;
      next[to] = std::min(next[to], starts[i]);
      alive = true;
    }
    if (!alive) return best;
    starts.swap(next);
  }
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
        throw Error(Category::usage,
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
  const auto match = find_match(tokens_, characters, 0, Anchor::here, length);
  return match ? joined(characters, match->end, characters.size()) : std::string(text);
}

std::string ShellPattern::without_suffix(std::string_view text, Length length) const {
  Characters reversed = characters_of(text);
  std::reverse(reversed.begin(), reversed.end());
  const std::vector<Token> tokens(tokens_.rbegin(), tokens_.rend());
  const auto match = find_match(tokens, reversed, 0, Anchor::here, length);
  if (!match) return std::string(text);
  const Characters kept(reversed.rbegin(), reversed.rend() - static_cast<std::ptrdiff_t>(match->end));
  return joined(kept, 0, kept.size());
}

std::string ShellPattern::replace_first(std::string_view text, std::string_view replacement) const {
  const Characters characters = characters_of(text);
  const auto match = find_match(tokens_, characters, 0, Anchor::anywhere, Length::longest);
  if (!match) return std::string(text);
  return joined(characters, 0, match->start) + std::string(replacement) +
         joined(characters, match->end, characters.size());
}

std::string ShellPattern::replace_all(std::string_view text, std::string_view replacement) const {
  const Characters characters = characters_of(text);
  std::string out;
  std::size_t position = 0;
  bool behind_match = false;  // an empty match directly behind another match does not count
  while (position <= characters.size()) {
    const auto match = find_match(tokens_, characters, position, Anchor::anywhere, Length::longest);
    if (!match) break;
    out += joined(characters, position, match->start);
    const bool empty = match->end == match->start;
    if (!empty || !behind_match || match->start > position) out += replacement;
    behind_match = !empty;
    position = match->end;
    if (!empty) continue;
    out += joined(characters, position, std::min(position + 1, characters.size()));
    ++position;
  }
  if (position < characters.size()) out += joined(characters, position, characters.size());
  return out;
}

}  // namespace kiln::dockerfile
