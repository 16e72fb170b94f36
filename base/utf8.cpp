#include "base/utf8.hpp"

#include <algorithm>

namespace kiln {

namespace {

// The length that a sequence with this first byte has; 0 where none begins so.
std::size_t sequence_length(unsigned char first) {
  if (first < 0x80) return 1;
  if (first < 0xC2) return 0;
  if (first < 0xE0) return 2;
  if (first < 0xF0) return 3;
  return first < 0xF5 ? 4 : 0;
}

}  // namespace

Utf8State utf8_state(std::string_view bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  if (bytes.empty()) return Utf8State::incomplete;
  const unsigned char first = byte(0);
  const std::size_t length = sequence_length(first);
  if (length == 0 || bytes.size() > length) return Utf8State::invalid;
  for (std::size_t i = 1; i < bytes.size(); ++i) {
    if (!is_continuation(bytes[i])) return Utf8State::invalid;
  }
  if (bytes.size() > 1) {
    const unsigned char second = byte(1);
    const bool too_long_or_reserved = (first == 0xE0 && second < 0xA0) || (first == 0xED && second >= 0xA0) ||
                                      (first == 0xF0 && second < 0x90) || (first == 0xF4 && second >= 0x90);
    if (too_long_or_reserved) return Utf8State::invalid;
  }
  return bytes.size() == length ? Utf8State::complete : Utf8State::incomplete;
}

Utf8Character next_character(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t length = std::min(sequence_length(first), text.size());
  if (utf8_state(text.substr(0, length)) != Utf8State::complete) return {kReplacementCharacter, 1};
  if (length == 1) return {first, 1};
  char32_t code = first & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i) code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3Fu);
  return {code, length};
}

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

std::size_t character_start(std::string_view text, std::size_t at) {
  while (at > 0 && is_continuation(text[at])) --at;
  return at;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const Utf8Character character = next_character(text);
    if (character.length == 1 && character.code == kReplacementCharacter) return false;
    text.remove_prefix(character.length);
  }
  return true;
}

void append_utf8(std::string& text, char32_t code) {
  const int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  static constexpr unsigned char kLead[] = {0, 0xC0, 0xE0, 0xF0};
  text += static_cast<char>(kLead[more] | (code >> (6 * more)));
  for (int i = more - 1; i >= 0; --i) text += static_cast<char>(0x80 | ((code >> (6 * i)) & 0x3F));
}

}  // namespace kiln
