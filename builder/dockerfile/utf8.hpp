#pragma once

#include <cstddef>
#include <string_view>

// Just enough Unicode to read Dockerfiles the way a rune-based reader does. A byte that is no valid UTF-8
// counts as one character of its own and is passed through unchanged.
namespace kiln::dockerfile {

// The character at `position` of a text that is not at its end.
struct Rune {
  char32_t value = 0;    // 0xFFFD for an invalid byte
  std::size_t size = 1;  // in bytes
};
Rune rune_at(std::string_view text, std::size_t position);

bool is_space(char32_t rune);
bool is_digit(char32_t rune);   // ASCII
bool is_letter(char32_t rune);  // ASCII exactly; beyond it everything but punctuation, symbols and spaces

std::string_view trim_left_spaces(std::string_view text);
std::string_view trim_spaces(std::string_view text);

}  // namespace kiln::dockerfile
