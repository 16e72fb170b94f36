#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kiln {

// What replaces a byte that begins no UTF-8 sequence.
inline constexpr char32_t kReplacementCharacter = 0xFFFD;

// The state of a UTF-8 sequence (RFC 3629: shortest form, no surrogates, up to U+10FFFF) of which some bytes are known.
enum class Utf8State { complete, incomplete, invalid };
Utf8State utf8_state(std::string_view bytes);

struct Utf8Character {
  char32_t code;
  std::size_t length;  // in bytes
};

// The first character of a text that is not empty; {kReplacementCharacter, 1} where its first byte begins none.
Utf8Character next_character(std::string_view text);

// Whether a text is made of such sequences alone.
bool is_utf8(std::string_view text);

// Whether a byte is one behind the first of a sequence: a text has as many characters as bytes that are none.
bool is_continuation(char byte);

// Where the character begins that the byte at `at` is of; `at` is below the text's size.
std::size_t character_start(std::string_view text, std::size_t at);

// Appends the sequence of a character up to U+10FFFF.
void append_utf8(std::string& text, char32_t code);

}  // namespace kiln
