#include "builder/dockerfile/utf8.hpp"

#include <array>
#include <utility>

#include "base/utf8.hpp"

namespace kiln::dockerfile {
namespace {

// Blocks beyond ASCII that hold no letters.
constexpr std::array<std::pair<char32_t, char32_t>, 11> kNoLetters{{{0x80, 0xA9},
                                                                    {0xAB, 0xB4},
                                                                    {0xB6, 0xB9},
                                                                    {0xBB, 0xBF},
                                                                    {0xD7, 0xD7},
                                                                    {0xF7, 0xF7},
                                                                    {0x2000, 0x206F},
                                                                    {0x20A0, 0x20CF},
                                                                    {0x2190, 0x2BFF},
                                                                    {0x3000, 0x3004},
                                                                    {0x3008, 0x3020}}};

}  // namespace

Rune rune_at(std::string_view text, std::size_t position) {
  const Utf8Character character = next_character(text.substr(position));
  return {character.code, character.length};
}

bool is_space(char32_t rune) {
  if (rune < 0x80) return rune == ' ' || (rune >= '\t' && rune <= '\r');
  return rune == 0x85 || rune == 0xA0 || rune == 0x1680 || (rune >= 0x2000 && rune <= 0x200A) || rune == 0x2028 ||
         rune == 0x2029 || rune == 0x202F || rune == 0x205F || rune == 0x3000;
}

bool is_digit(char32_t rune) { return rune >= '0' && rune <= '9'; }

bool is_letter(char32_t rune) {
  if (rune < 0x80) return (rune >= 'a' && rune <= 'z') || (rune >= 'A' && rune <= 'Z');
  for (const auto& [first, last] : kNoLetters) {
    if (rune >= first && rune <= last) return false;
  }
  return rune != kReplacementCharacter && rune < 0x1F000 && !(rune >= 0xE000 && rune <= 0xF8FF);
}

std::string_view trim_left_spaces(std::string_view text) {
  while (!text.empty()) {
    const Rune rune = rune_at(text, 0);
    if (!is_space(rune.value)) break;
    text.remove_prefix(rune.size);
  }
  return text;
}

std::string_view trim_spaces(std::string_view text) {
  text = trim_left_spaces(text);
  std::size_t end = 0;
  for (std::size_t i = 0; i < text.size();) {
    const Rune rune = rune_at(text, i);
    i += rune.size;
    if (!is_space(rune.value)) end = i;
  }
  return text.substr(0, end);
}

}  // namespace kiln::dockerfile
