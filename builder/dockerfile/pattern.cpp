#include "builder/dockerfile/pattern.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/dockerfile/utf8.hpp"

namespace kiln::dockerfile {
namespace {

using Token = PatternToken;
using Kind = Token::Kind;

enum class Stars { single, folders };

constexpr std::string_view kSpecial = "*?[]\\";
constexpr std::size_t kMostBytes = 4096;  // as many as a path may have

[[noreturn]] void malformed(std::string_view pattern, std::string_view reason) {
  constexpr std::size_t kMostShown = 200;
  throw Error(Category::usage, fmt::format("malformed pattern '{}': {}", printable(pattern, kMostShown), reason));
}

class Compiler {
 public:
  Compiler(std::string_view pattern, Stars stars) : pattern_(pattern), stars_(stars) {}

  std::vector<Token> run() {
    if (pattern_.size() > kMostBytes) malformed(pattern_, fmt::format("it has more than {} bytes", kMostBytes));
    std::vector<Token> out;
    while (position_ < pattern_.size()) {
      const char32_t c = take();
      if (c == '*') {
        add_star(out, star());
      } else if (c == '?') {
        out.push_back({Kind::any_char});
      } else if (c == '[') {
        out.push_back(char_class());
      } else {
        out.push_back({Kind::literal, c == '\\' ? escaped() : c});
      }
    }
    return out;
  }

 private:
  char32_t take() {
    const Rune rune = rune_at(pattern_, position_);
    // A byte that is no character matches itself, beyond all characters.
    const char32_t value =
        rune.size == 1 && rune.value >= 0x80 ? 0x110000 + static_cast<unsigned char>(pattern_[position_]) : rune.value;
    position_ += rune.size;
    return value;
  }
  bool next_is(char c) const { return position_ < pattern_.size() && pattern_[position_] == c; }
  char32_t escaped() {
    if (position_ == pattern_.size()) malformed(pattern_, "'\\' at its end");
    return take();
  }

  Kind star() {
    if (stars_ == Stars::single || !next_is('*')) return Kind::star;
    ++position_;
    if (next_is('/')) ++position_;
    return position_ == pattern_.size() ? Kind::rest : Kind::folders;
  }

  // Stars behind stars say no more than the last of them, and each would be followed through the whole path.
  static void add_star(std::vector<Token>& out, Kind kind) {
    const bool is_same = !out.empty() && out.back().kind == kind;
    if (!out.empty() && out.back().kind == Kind::folders && kind == Kind::rest) out.pop_back();
    if (!is_same) out.push_back({kind});
  }

  char32_t class_end() {
    if (position_ == pattern_.size()) malformed(pattern_, "'[' without ']'");
    if (next_is('-') || next_is(']')) malformed(pattern_, "a range without its ends");
    const char32_t c = take();
    return c == '\\' ? escaped() : c;
  }

  Token char_class() {
    Token token{Kind::char_class};
    if (next_is('^')) {
      token.negated = true;
      ++position_;
    }
    while (token.ranges.empty() || !next_is(']')) {
      const char32_t low = class_end();
      char32_t high = low;
      if (next_is('-')) {
        ++position_;
        high = class_end();
      }
      // filepath.Match takes a reversed range for an empty one, moby's matcher refuses it.
      if (low > high && stars_ == Stars::folders) malformed(pattern_, "a range whose end lies before its start");
      token.ranges.emplace_back(low, high);
    }
    ++position_;
    return token;
  }

  std::string_view pattern_;
  Stars stars_;
  std::size_t position_ = 0;
};

bool in_class(const Token& token, char32_t character) {
  const bool found = std::any_of(token.ranges.begin(), token.ranges.end(), [&](const auto& range) {
    return range.first <= character && character <= range.second;
  });
  return found != token.negated;
}

// Places in a text that may be reached, between the first and the last of them.
class Places {
 public:
  explicit Places(std::size_t count) : is_in_(count, 0) {}

  void insert(std::size_t place) {
    is_in_[place] = 1;
    first_ = std::min(first_, place);
    last_ = std::max(last_, place);
  }
  bool contains(std::size_t place) const { return is_in_[place] != 0; }
  bool empty() const { return first_ > last_; }
  std::size_t first() const { return first_; }
  std::size_t last() const { return last_; }
  void clear() {
    if (!empty()) std::memset(&is_in_[first_], 0, last_ - first_ + 1);
    first_ = std::string_view::npos;
    last_ = 0;
  }

 private:
  std::vector<char> is_in_;
  std::size_t first_ = std::string_view::npos;
  std::size_t last_ = 0;
};

Rune matched_rune(std::string_view text, std::size_t at) {
  Rune rune = rune_at(text, at);
  if (rune.size == 1 && rune.value >= 0x80) rune.value = 0x110000 + static_cast<unsigned char>(text[at]);
  return rune;
}

// Follows all ways through the tokens at once; `classes_cross` says whether [^a] may be a '/'.
bool run_tokens(const std::vector<Token>& tokens, std::string_view text, bool classes_cross) {
  Places reached(text.size() + 1);
  Places next(text.size() + 1);
  reached.insert(0);
  for (const Token& token : tokens) {
    next.clear();
    bool open = false;
    for (std::size_t i = reached.first(); i <= text.size() && (open || i <= reached.last());) {
      const bool at_end = i == text.size();
      const Rune rune = at_end ? Rune{} : matched_rune(text, i);
      const bool slash = !at_end && text[i] == '/';
      const bool here = reached.contains(i);
      switch (token.kind) {
        case Kind::star:
          open = open || here;
          if (open) next.insert(i);
          if (slash) open = false;
          break;
        case Kind::rest:
          open = true;
          next.insert(i);
          break;
        case Kind::folders:
          open = true;
          if (here) next.insert(i);
          if (slash) next.insert(i + 1);
          break;
        case Kind::literal:
          if (here && !at_end && rune.value == token.character) next.insert(i + rune.size);
          break;
        case Kind::any_char:
          if (here && !at_end && !slash) next.insert(i + rune.size);
          break;
        case Kind::char_class:
          if (here && !at_end && (classes_cross || !slash) && in_class(token, rune.value)) next.insert(i + rune.size);
          break;
      }
      i += at_end ? 1 : rune.size;
    }
    if (next.empty()) return false;
    std::swap(reached, next);
  }
  return reached.contains(text.size());
}

}  // namespace

NamePattern::NamePattern(std::string_view pattern) : tokens_(Compiler(pattern, Stars::single).run()) {}

bool NamePattern::matches(std::string_view name) const { return run_tokens(tokens_, name, /*classes_cross=*/false); }

bool match_pattern(std::string_view pattern, std::string_view name) { return NamePattern(pattern).matches(name); }

bool has_wildcards(std::string_view pattern) {
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\') {
      ++i;
    } else if (pattern[i] == '*' || pattern[i] == '?' || pattern[i] == '[') {
      return true;
    }
  }
  return false;
}

PathPattern::PathPattern(std::string_view pattern) : text_(pattern) {
  tokens_ = Compiler(pattern, Stars::folders).run();
  const auto special = pattern.find_first_of(kSpecial);
  const std::size_t stars = pattern.find("**");
  if (special == std::string_view::npos) {
    shape_ = Shape::exact;
    fixed_ = pattern;
  } else if (stars == special && tokens_.back().kind == Kind::rest && tokens_.size() > 1 &&
             pattern.find_first_of(kSpecial, stars + 2) == std::string_view::npos) {
    shape_ = Shape::prefix;
    fixed_ = pattern.substr(0, stars);
  } else if (stars == 0 && pattern.find_first_of(kSpecial, 2) == std::string_view::npos) {
    shape_ = Shape::suffix;
    fixed_ = pattern.substr(2);
  } else {
    shape_ = Shape::general;
    head_ = pattern.substr(0, special);
    const std::size_t last = pattern.find_last_of(kSpecial);
    tail_ = pattern.substr(last + 1);
    const bool folders = pattern[last] == '*' && last > 0 && pattern[last - 1] == '*';
    if (folders && !tail_.empty() && tail_[0] == '/') tail_.erase(0, 1);  // it is a part of the stars
  }
}

bool PathPattern::matches(std::string_view path) const {
  switch (shape_) {
    case Shape::exact:
      return path == fixed_;
    case Shape::prefix:
      return path.substr(0, fixed_.size()) == fixed_;
    case Shape::suffix: {
      const std::string_view suffix = fixed_;
      if (path.size() >= suffix.size() && path.substr(path.size() - suffix.size()) == suffix) return true;
      return !suffix.empty() && suffix[0] == '/' && path == suffix.substr(1);
    }
    case Shape::general:
      if (path.substr(0, head_.size()) != head_ || path.size() < tail_.size() ||
          path.substr(path.size() - tail_.size()) != tail_) {
        return false;
      }
      return run_tokens(tokens_, path, /*classes_cross=*/true);
  }
  return false;
}

}  // namespace kiln::dockerfile
