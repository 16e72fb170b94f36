#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::hcl {

// Regular expressions with the syntax of RE2, which Go's are and so HCL's: leftmost match, alternatives in their order,
// lazy repetitions, named groups, flags imsU. Matching takes time in proportion to pattern times text, whatever both
// are.
//
// The pattern becomes a program of a few instructions, and all threads through it are followed at once (Pike's
// machine). Rejected: std::regex, which backtracks, recurses per character and has another syntax.
class Pattern {
 public:
  // ValueError with what is wrong, for look-around, references back and Unicode classes too.
  explicit Pattern(std::string_view pattern);

  // Begin and end of the match and of each group, in bytes; nullopt for a group that took no part.
  using Range = std::optional<std::pair<std::size_t, std::size_t>>;
  using Match = std::vector<Range>;

  // The first match at or behind `from`; empty where there is none.
  Match find(std::string_view text, std::size_t from) const;
  std::vector<Match> find_all(std::string_view text) const;
  // Every match replaced; $1, $name, ${name} and $$ in the replacement.
  std::string replace_all(std::string_view text, std::string_view replacement) const;

  // How many instructions it became: matching costs that, for each byte of a text.
  std::size_t size() const noexcept { return program_.size(); }
  // Of each group its name, empty where it has none.
  const std::vector<std::string>& group_names() const noexcept { return names_; }

  struct CharacterRange {
    std::uint32_t first, last;
  };
  struct Instruction {
    enum class Kind { characters, split, jump, save, text_begin, text_end, line_begin, line_end, word, no_word, match };
    Kind kind = Kind::match;
    std::vector<CharacterRange> ranges;  // characters
    std::size_t next = 0;                // split: what is preferred
    std::size_t other = 0;               // split; save: the slot
  };

 private:
  std::string expanded(std::string_view replacement, std::string_view text, const Match& match) const;

  std::vector<Instruction> program_;
  std::vector<std::string> names_;
};

}  // namespace kiln::hcl
