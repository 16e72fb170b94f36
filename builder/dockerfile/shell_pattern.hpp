#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kiln::dockerfile {

// The pattern of ${x#p} ${x%p} ${x/p/r}: '*' is any text and '?' any character (neither crosses a line end),
// '\' makes `*`, `?` and itself literal and is dropped before '}' and '/'. Matching takes time proportional
// to pattern times text at worst, whatever either holds.
class ShellPattern {
 public:
  enum class Length { shortest, longest };

  // Error{usage} for a '\' before any other character or at the end.
  explicit ShellPattern(std::string_view pattern);

  std::string without_prefix(std::string_view text, Length length) const;
  std::string without_suffix(std::string_view text, Length length) const;
  std::string replace_first(std::string_view text, std::string_view replacement) const;
  std::string replace_all(std::string_view text, std::string_view replacement) const;

 private:
  struct Token {
    enum class Kind { literal, any_character, any_text } kind = Kind::literal;
    std::string text;
  };
  std::vector<Token> tokens_;
};

}  // namespace kiln::dockerfile
