#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/definitions/hcl/syntax.hpp"

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

// A recursive-descent reader of the native syntax, by characters: templates and heredocs change what a character means,
// so tokens would need the parser's state anyway. The grammar's rules are methods; where newlines end an expression is
// one flag.
class Parser {
 public:
  // `text` may be a decoded string of the source: offsets are then shifted to where it stands there.
  Parser(const Source& source, std::string_view text, std::uint32_t base_offset)
      : source_(source), text_(text), base_offset_(base_offset) {}

  std::shared_ptr<Body> body(bool is_nested);
  ExpressionPtr expression();
  // An expression and nothing behind it.
  ExpressionPtr whole_expression();
  // The whole text as a template, without escapes of a backslash.
  ExpressionPtr whole_template();

 private:
  // Bounds how deep rules call one another, so that no text exhausts the stack.
  class Depth {
   public:
    explicit Depth(Parser& parser);
    ~Depth() { --parser_.depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;

   private:
    Parser& parser_;
  };
  enum class TemplateKind { quoted, heredoc, bare };

  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool at_end() const { return at_ >= text_.size(); }
  bool starts_with(std::string_view word) const { return text_.substr(at_).starts_with(word); }
  Place place() const { return place_at(at_); }
  Place place_at(std::size_t at) const;
  [[noreturn]] void fail_here(std::string_view message) const;
  void skip_space();
  void skip_lines();
  bool accept(std::string_view word);
  void expect(std::string_view word, std::string_view where);
  bool at_name() const;
  std::string name(std::string_view what);
  bool at_word(std::string_view word) const;

  void body_item(Body& into);
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
  ExpressionPtr for_expression(char close);
  ExpressionPtr quoted();
  ExpressionPtr heredoc();

  std::vector<TemplatePart> template_parts(TemplateKind kind);
  void escape(std::string& into);
  TemplatePart interpolation(bool& trims_left, bool& trims_right);
  TemplatePart directive(bool& trims_left, bool& trims_right);

  const Source& source_;
  std::string_view text_;
  std::uint32_t base_offset_;
  std::size_t at_ = 0;
  bool skips_newlines_ = false;
  int depth_ = 0;
};

// Puts directives together. Error{usage} for an `else` or an end without its beginning, and the other way round.
ExpressionPtr assemble_template(const Place& place, std::vector<TemplatePart> parts);
// Takes the indentation that all lines have in common from them, for `<<-`.
void remove_indentation(std::vector<TemplatePart>& parts);

ExpressionPtr make_expression(const Place& place, decltype(Expression::node) node);

}  // namespace kiln::hcl
