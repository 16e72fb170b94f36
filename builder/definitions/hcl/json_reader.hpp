#pragma once

#include "builder/definitions/hcl/syntax.hpp"

namespace kiln::hcl {

// Reads JSON (RFC 8259) into the syntax tree: objects, lists, literals, and Written for strings and keys. Beside
// base/json.hpp because of what HCL wants: places of everything, keys that come twice, and numbers as they are written.
class JsonReader {
 public:
  explicit JsonReader(const Source& source) : source_(source), text_(source.text()) {}

  // The one value of the text. Error{usage} with the place; nesting is bounded as in the native syntax.
  ExpressionPtr read();

 private:
  Place place() const { return {&source_, static_cast<std::uint32_t>(at_)}; }
  [[noreturn]] void fail_here(std::string_view message) const;
  void skip_space();
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void expect(char c, std::string_view where);
  ExpressionPtr value(int depth);
  ExpressionPtr object(int depth);
  ExpressionPtr list(int depth);
  ExpressionPtr string();
  ExpressionPtr literal();
  std::uint32_t code_unit();
  void escape(std::string& into);

  const Source& source_;
  std::string_view text_;
  std::size_t at_ = 0;
};

// The value of a JSON text, whose strings are no templates. Error{usage}.
Value json_value(const Source& source);

}  // namespace kiln::hcl
