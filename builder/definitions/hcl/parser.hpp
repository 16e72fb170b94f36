#pragma once

#include <string>
#include <string_view>

#include "builder/definitions/hcl/template_parser.hpp"

namespace kiln::hcl {

// A recursive-descent reader of the native syntax, by characters: templates and heredocs change what a character means,
// so tokens would need the parser's state anyway. The grammar's rules are methods; where newlines end an expression is
// one flag. Characters are Cursor's, templates TemplateParser's.
class Parser final : public TemplateParser {
 public:
  // `text` may be a decoded string of the source: offsets are then shifted to where it stands there.
  Parser(const Source& source, std::string_view text, std::uint32_t base_offset)
      : TemplateParser(source, text, base_offset) {}

  std::shared_ptr<Body> body(bool is_nested);
  ExpressionPtr expression() override;
  // An expression and nothing behind it.
  ExpressionPtr whole_expression();

 private:
  std::string_view body_item(Body& into);  // what it was: "attribute" or "block"
  std::shared_ptr<Body> one_line_body();
  void end_of_item(std::string_view what);
  ExpressionPtr conditional();
  ExpressionPtr binary(std::size_t level);
  ExpressionPtr unary();
  ExpressionPtr term();
  ExpressionPtr traversals(ExpressionPtr from);
  ExpressionPtr after_dot(ExpressionPtr from, const Place& at);
  ExpressionPtr attribute_splat(ExpressionPtr from, const Place& at);
  ExpressionPtr number();
  ExpressionPtr named();
  ExpressionPtr call(std::string name, const Place& at);
  ExpressionPtr tuple();
  ExpressionPtr object();
  ExpressionPtr object_key();
  ExpressionPtr for_expression(char close);
};

}  // namespace kiln::hcl
