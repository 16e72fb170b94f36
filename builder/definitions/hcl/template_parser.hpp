#pragma once

#include <string>
#include <vector>

#include "builder/definitions/hcl/cursor.hpp"

namespace kiln::hcl {

// A part of a template as it is read, before directives are put together and white space is trimmed.
struct TemplatePart {
  enum class Kind { literal, interpolation, if_begin, if_else, if_end, for_begin, for_end };
  Kind kind = Kind::literal;
  Place place;
  std::string text;          // literal
  ExpressionPtr expression;  // interpolation, condition, collection
  std::string key_name;      // for
  std::string value_name;
};

// Templates of the native syntax: quoted texts, heredocs, and JSON's strings. What an expression is the parser says.
class TemplateParser : protected Cursor {
 public:
  virtual ~TemplateParser() = default;

  virtual ExpressionPtr expression() = 0;
  // The whole text as a template, without escapes of a backslash.
  ExpressionPtr whole_template();

 protected:
  using Cursor::Cursor;

  ExpressionPtr quoted();
  ExpressionPtr heredoc();

 private:
  enum class TemplateKind { quoted, heredoc, bare };
  std::vector<TemplatePart> template_parts(TemplateKind kind);
  void escape(std::string& into);
  TemplatePart interpolation(bool& trims_left, bool& trims_right);
  TemplatePart directive(bool& trims_left, bool& trims_right);
};

// Puts directives together. Error{usage} for an `else` or an end without its beginning, and the other way round.
ExpressionPtr assemble_template(const Place& place, std::vector<TemplatePart> parts);
// Takes the indentation that all lines have in common from them, for `<<-`.
void remove_indentation(std::vector<TemplatePart>& parts);

}  // namespace kiln::hcl
