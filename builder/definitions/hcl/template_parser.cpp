#include "builder/definitions/hcl/template_parser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/text.hpp"
#include "base/utf8.hpp"

namespace kiln::hcl {

namespace {

using PartKind = TemplatePart::Kind;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

void trim_end(std::string& text) {
  while (!text.empty() && is_space(text.back())) text.pop_back();
}

// Reads parts up to a directive of the kinds in `ends`, or to the end.
class Assembler {
 public:
  explicit Assembler(std::vector<TemplatePart> parts) : parts_(std::move(parts)) {}

  ExpressionPtr all(const Place& place) {
    const bool is_lone = parts_.size() == 1 && parts_[0].kind == PartKind::interpolation;
    if (is_lone) return parts_[0].expression;
    ExpressionPtr result = sequence(place, {});
    if (at_ < parts_.size()) fail(parts_[at_].place, "a directive that ends what was not begun");
    return result;
  }

 private:
  ExpressionPtr sequence(const Place& place, const std::vector<PartKind>& ends) {
    Template result;
    while (at_ < parts_.size()) {
      TemplatePart& part = parts_[at_];
      if (std::find(ends.begin(), ends.end(), part.kind) != ends.end()) break;
      if (part.kind == PartKind::literal) {
        if (!part.text.empty()) {
          result.parts.push_back(make_expression(part.place, Literal{Value::of(std::move(part.text))}));
        }
        ++at_;
      } else if (part.kind == PartKind::interpolation) {
        result.parts.push_back(part.expression);
        ++at_;
      } else if (part.kind == PartKind::if_begin) {
        result.parts.push_back(condition());
      } else if (part.kind == PartKind::for_begin) {
        result.parts.push_back(loop());
      } else {
        break;
      }
    }
    if (result.parts.empty()) return make_expression(place, Literal{Value::of("")});
    if (result.parts.size() == 1) {
      const auto* literal = std::get_if<Literal>(&result.parts[0]->node);
      if (literal != nullptr && literal->value.is(Value::Kind::string)) {
        return make_expression(place, Literal{literal->value});
      }
    }
    return make_expression(place, std::move(result));
  }

  ExpressionPtr condition() {
    const TemplatePart begin = parts_[at_++];
    ExpressionPtr if_true = sequence(begin.place, {PartKind::if_else, PartKind::if_end});
    ExpressionPtr if_false = make_expression(begin.place, Literal{Value::of("")});
    if (at_ < parts_.size() && parts_[at_].kind == PartKind::if_else) {
      ++at_;
      if_false = sequence(begin.place, {PartKind::if_end});
    }
    if (at_ == parts_.size()) fail(begin.place, "'%{ if }' without its '%{ endif }'");
    ++at_;
    return make_expression(begin.place, Conditional{begin.expression, std::move(if_true), std::move(if_false)});
  }

  ExpressionPtr loop() {
    const TemplatePart begin = parts_[at_++];
    For loop;
    loop.key_name = begin.key_name;
    loop.value_name = begin.value_name;
    loop.collection = begin.expression;
    loop.value = sequence(begin.place, {PartKind::for_end});
    if (at_ == parts_.size()) fail(begin.place, "'%{ for }' without its '%{ endfor }'");
    ++at_;
    return make_expression(begin.place, Joined{make_expression(begin.place, std::move(loop))});
  }

  std::vector<TemplatePart> parts_;
  std::size_t at_ = 0;
};

// Consecutive literals as one: heredocs, and texts of JSON, are read line by line, and a `~` reaches to the line's end.
std::vector<TemplatePart> merged(std::vector<TemplatePart> parts) {
  std::vector<TemplatePart> result;
  for (TemplatePart& part : parts) {
    if (part.kind == PartKind::literal && !result.empty() && result.back().kind == PartKind::literal) {
      result.back().text += part.text;
    } else {
      result.push_back(std::move(part));
    }
  }
  return result;
}

}  // namespace

ExpressionPtr assemble_template(const Place& place, std::vector<TemplatePart> parts) {
  return Assembler(merged(std::move(parts))).all(place);
}

void remove_indentation(std::vector<TemplatePart>& parts) {
  constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  std::size_t least = kNone;
  std::vector<TemplatePart*> lines;
  bool begins_line = true;
  for (TemplatePart& part : parts) {
    const bool is_literal = part.kind == PartKind::literal;
    if (begins_line) {
      std::size_t spaces = 0;
      if (is_literal) {
        while (spaces < part.text.size() && is_space(part.text[spaces])) ++spaces;
        if (spaces == part.text.size() && part.text.ends_with('\n')) {
          spaces = kNone;  // a blank line says nothing
        } else {
          lines.push_back(&part);
        }
      }
      least = std::min(least, spaces);
    }
    begins_line = is_literal && part.text.ends_with('\n');
  }
  for (TemplatePart* line : lines) line->text.erase(0, least);
}

ExpressionPtr TemplateParser::quoted() {
  const Place at = place();
  ++at_;
  const bool before = std::exchange(skips_newlines_, false);
  std::vector<TemplatePart> parts = template_parts(TemplateKind::quoted);
  if (at_end()) fail(at, "a text without its closing quote");
  ++at_;
  skips_newlines_ = before;
  return assemble_template(at, std::move(parts));
}

ExpressionPtr TemplateParser::whole_template() {
  const Place at = place();
  return assemble_template(at, template_parts(TemplateKind::bare));
}

ExpressionPtr TemplateParser::heredoc() {
  const Place at = place();
  at_ += 2;
  const bool is_flush = peek() == '-';
  if (is_flush) ++at_;
  if (!at_name()) fail_here("expected the marker of a heredoc behind '<<'");
  const std::string marker = name("the marker of a heredoc");
  if (peek() == '\r') ++at_;
  if (peek() != '\n') fail_here("expected a new line behind the marker of a heredoc");
  ++at_;
  // The end is looked for first: what is between is then a template of its own. A `${` that reaches over it is an
  // error.
  std::size_t end = at_;
  while (true) {
    const std::size_t line_end = std::min(text_.find('\n', end), text_.size());
    if (trim(text_.substr(end, line_end - end)) == marker) break;
    if (line_end == text_.size()) fail(at, fmt::format("a heredoc without its end '{}'", marker));
    end = line_end + 1;
  }
  const std::size_t behind = text_.find(marker, end) + marker.size();
  const std::string_view whole = std::exchange(text_, text_.substr(0, end));
  const bool before = std::exchange(skips_newlines_, false);
  std::vector<TemplatePart> parts = template_parts(TemplateKind::heredoc);
  skips_newlines_ = before;
  text_ = whole;
  at_ = behind;
  if (is_flush) remove_indentation(parts);
  return assemble_template(at, std::move(parts));
}

std::vector<TemplatePart> TemplateParser::template_parts(TemplateKind kind) {
  const Depth depth(*this);
  std::vector<TemplatePart> parts;
  bool trims_next = false;
  std::size_t begin = at_;
  std::string literal;
  const auto finish_literal = [&] {
    if (trims_next) {
      const auto first = std::find_if_not(literal.begin(), literal.end(), is_space);
      literal.erase(literal.begin(), first);
    }
    trims_next = false;
    if (!literal.empty()) parts.push_back({PartKind::literal, place_at(begin), std::exchange(literal, ""), {}, "", ""});
    begin = at_;
  };
  while (!at_end() && !(kind == TemplateKind::quoted && peek() == '"')) {
    if (starts_with("$${") || starts_with("%%{")) {
      literal += text_.substr(at_ + 1, 2);
      at_ += 3;
    } else if (starts_with("${") || starts_with("%{")) {
      finish_literal();
      bool trims_left = false, trims_right = false;
      TemplatePart part = peek() == '$' ? interpolation(trims_left, trims_right) : directive(trims_left, trims_right);
      if (trims_left && !parts.empty() && parts.back().kind == PartKind::literal) trim_end(parts.back().text);
      parts.push_back(std::move(part));
      trims_next = trims_right;
      begin = at_;
    } else if (kind == TemplateKind::quoted && peek() == '\\') {
      escape(literal);
    } else if (kind == TemplateKind::quoted && peek() == '\n') {
      fail_here("a text in quotes ends on its line; for several lines write '<<EOT'");
    } else {
      const bool ends_line = peek() == '\n';
      const std::size_t length = character_length();
      literal += text_.substr(at_, length);
      at_ += length;
      if (ends_line && kind != TemplateKind::quoted) finish_literal();
    }
  }
  finish_literal();
  return parts;
}

void TemplateParser::escape(std::string& into) {
  const Place at = place();
  ++at_;
  const char c = peek();
  ++at_;
  switch (c) {
    case 'n':
      into += '\n';
      return;
    case 'r':
      into += '\r';
      return;
    case 't':
      into += '\t';
      return;
    case '"':
    case '\\':
      into += c;
      return;
    case 'u':
    case 'U': {
      const std::size_t length = c == 'u' ? 4 : 8;
      const std::string_view digits = text_.substr(std::min(at_, text_.size()), length);
      const auto code = digits.size() == length ? parse_unsigned(digits, 16) : std::nullopt;
      if (!code || *code > 0x10FFFF || (*code >= 0xD800 && *code < 0xE000)) {
        fail(at, fmt::format("'\\{}' needs {} hexadecimal digits of a character", c, length));
      }
      at_ += length;
      append_utf8(into, static_cast<std::uint32_t>(*code));
      return;
    }
    default:
      fail(at, R"(the only escapes are \n, \r, \t, \", \\, \uNNNN and \UNNNNNNNN; a backslash is written \\)");
  }
}

TemplatePart TemplateParser::interpolation(bool& trims_left, bool& trims_right) {
  TemplatePart part{PartKind::interpolation, place(), "", {}, "", ""};
  at_ += 2;
  trims_left = accept("~");
  const bool before = std::exchange(skips_newlines_, true);
  part.expression = expression();
  trims_right = accept("~");
  if (!accept("}")) {
    fail(part.place, "this '${' has no '}' behind its expression; to write it as it is, double the dollar: '$${'");
  }
  skips_newlines_ = before;
  return part;
}

TemplatePart TemplateParser::directive(bool& trims_left, bool& trims_right) {
  TemplatePart part{PartKind::if_begin, place(), "", {}, "", ""};
  at_ += 2;
  trims_left = accept("~");
  const bool before = std::exchange(skips_newlines_, true);
  const std::string word = name("a directive: if, else, endif, for or endfor");
  if (word == "if") {
    part.expression = expression();
  } else if (word == "for") {
    part.kind = PartKind::for_begin;
    part.value_name = name("a name behind 'for'");
    if (accept(",")) {
      part.key_name = std::move(part.value_name);
      part.value_name = name("a name behind ','");
    }
    skip_space();
    if (!at_word("in")) fail_here("expected 'in' behind the names of 'for'");
    name("'in'");
    part.expression = expression();
  } else if (word == "else") {
    part.kind = PartKind::if_else;
  } else if (word == "endif") {
    part.kind = PartKind::if_end;
  } else if (word == "endfor") {
    part.kind = PartKind::for_end;
  } else {
    fail(part.place, fmt::format("unknown directive '{}'{}", printable(word),
                                 suggestion(word, {"else", "endfor", "endif", "for", "if"})));
  }
  trims_right = accept("~");
  if (!accept("}")) {
    fail(part.place, "this '%{' has no '}' behind its directive; to write it as it is, double the sign: '%%{'");
  }
  skips_newlines_ = before;
  return part;
}

}  // namespace kiln::hcl
