#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/definitions/hcl/pattern.hpp"

namespace kiln::hcl {

// Reads a pattern and writes its program in one pass: a part that is repeated is copied, so the program is bounded.
class PatternCompiler {
 public:
  explicit PatternCompiler(std::string_view pattern) : text_(pattern) {}

  std::vector<Pattern::Instruction> compile();
  std::vector<std::string> take_names() { return std::move(names_); }

 private:
  using Code = std::vector<Pattern::Instruction>;  // addresses are relative to its begin
  using Ranges = std::vector<Pattern::CharacterRange>;
  struct Flags {
    bool ignores_case = false, is_multiline = false, dot_takes_newline = false, is_lazy = false;
  };

  [[noreturn]] void fail(std::string_view message) const;
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool at_end() const { return at_ >= text_.size(); }
  std::uint32_t character();
  Code alternatives(int depth);
  Code sequence(int depth);
  Code item(int depth);
  Code group(int depth);
  Code flags_or_group(int depth);
  Code escape();
  Code quoted();
  Code repeated(Code code);
  bool bounds(std::size_t& least, std::size_t& most);
  Code characters(Ranges ranges) const;
  Ranges bracket();
  Ranges named_class();
  Ranges escape_class();
  std::uint32_t escaped_character();
  Code position(Pattern::Instruction::Kind kind) const;

  std::string_view text_;
  std::size_t at_ = 0;
  Flags flags_;
  std::vector<std::string> names_;
};

}  // namespace kiln::hcl
