#include "builder/definitions/hcl/cursor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "base/utf8.hpp"

namespace kiln::hcl {

namespace {

bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (static_cast<unsigned char>(c) & 0x80) != 0;
}
bool is_name_part(char c) { return is_name_start(c) || (c >= '0' && c <= '9') || c == '-'; }

}  // namespace

ExpressionPtr make_expression(const Place& place, decltype(Expression::node) node) {
  return std::make_shared<const Expression>(Expression{place, std::move(node)});
}

Cursor::Depth::Depth(Cursor& cursor) : cursor_(cursor) {
  if (cursor_.depth_ >= kMaxParseDepth) cursor_.fail_here(fmt::format("nested deeper than {}", kMaxParseDepth));
  ++cursor_.depth_;
}

Place Cursor::place_at(std::size_t at) const {
  // A decoded string is shorter than what it was written as, so a place in it is never behind its end.
  const std::size_t offset = std::min(base_offset_ + at, source_.text().size());
  return {&source_, static_cast<std::uint32_t>(offset)};
}

void Cursor::fail_here(std::string_view message) const { fail(place(), message); }

void Cursor::skip_space() {
  while (!at_end()) {
    const char c = peek();
    if (c == ' ' || c == '\t' || (c == '\r' && peek(1) == '\n') || (c == '\n' && skips_newlines_)) {
      ++at_;
    } else if (c == '#' || starts_with("//")) {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (starts_with("/*")) {
      const std::size_t end = text_.find("*/", at_ + 2);
      if (end == std::string_view::npos) fail_here("a comment without its end '*/'");
      at_ = end + 2;
    } else {
      return;
    }
  }
}

void Cursor::skip_lines() {
  const bool before = std::exchange(skips_newlines_, true);
  skip_space();
  skips_newlines_ = before;
}

bool Cursor::accept(std::string_view word) {
  skip_space();
  if (!starts_with(word)) return false;
  at_ += word.size();
  return true;
}

void Cursor::expect(std::string_view word, std::string_view where) {
  if (accept(word)) return;
  if (at_end()) fail_here(fmt::format("expected '{}' {}, got the end of the text", word, where));
  const std::size_t length = (static_cast<unsigned char>(peek()) & 0x80) != 0 ? 4 : 1;
  fail_here(fmt::format("expected '{}' {}, got '{}'", word, where,
                        peek() == '\n' ? "the end of the line" : printable(text_.substr(at_, length))));
}

std::size_t Cursor::character_length() const {
  const Utf8Character character = next_character(text_.substr(at_));
  if (character.length == 1 && character.code == kReplacementCharacter) fail_here("a byte that is no UTF-8");
  return character.length;
}

bool Cursor::at_name() const { return is_name_start(peek()); }

std::string Cursor::name(std::string_view what) {
  skip_space();
  if (!at_name()) fail_here(fmt::format("expected {}", what));
  const std::size_t begin = at_;
  while (!at_end() && is_name_part(peek())) at_ += character_length();
  return std::string(text_.substr(begin, at_ - begin));
}

bool Cursor::at_word(std::string_view word) const { return starts_with(word) && !is_name_part(peek(word.size())); }

}  // namespace kiln::hcl
