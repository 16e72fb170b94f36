#include "builder/definitions/hcl/json_reader.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "base/utf8.hpp"
#include "builder/definitions/hcl/parser.hpp"

namespace kiln::hcl {

namespace {

constexpr int kMaxJsonDepth = 200;

Value plain_value(const Expression& expression) {
  if (const auto* literal = std::get_if<Literal>(&expression.node)) return literal->value;
  if (const auto* written = std::get_if<Written>(&expression.node)) return Value::of(written->text);
  if (const auto* tuple = std::get_if<Tuple>(&expression.node)) {
    Value::Items items;
    for (const ExpressionPtr& item : tuple->items) items.push_back(plain_value(*item));
    return Value::tuple(std::move(items));
  }
  Value::Members members;
  for (const Object::Item& item : std::get<Object>(expression.node).items) {
    members[std::get<Written>(item.key->node).text] = plain_value(*item.value);
  }
  return Value::object(std::move(members));
}

}  // namespace

void JsonReader::fail_here(std::string_view message) const { fail(place(), message); }

void JsonReader::skip_space() {
  while (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') ++at_;
}

void JsonReader::expect(char c, std::string_view where) {
  skip_space();
  if (peek() == c) {
    ++at_;
    return;
  }
  if (at_ >= text_.size()) fail_here(fmt::format("expected '{}' {}, got the end of the text", c, where));
  fail_here(fmt::format("expected '{}' {}, got '{}'", c, where, printable(text_.substr(at_, 1))));
}

ExpressionPtr JsonReader::read() {
  ExpressionPtr result = value(0);
  skip_space();
  if (at_ < text_.size()) fail_here("something stands behind the value");
  return result;
}

ExpressionPtr JsonReader::value(int depth) {
  skip_space();
  if (depth > kMaxJsonDepth) fail_here(fmt::format("nested deeper than {}", kMaxJsonDepth));
  switch (peek()) {
    case '{':
      return object(depth);
    case '[':
      return list(depth);
    case '"':
      return string();
    default:
      return literal();
  }
}

ExpressionPtr JsonReader::object(int depth) {
  const Place at = place();
  ++at_;
  Object result;
  result.refuses_duplicates = true;
  skip_space();
  if (peek() == '}') {
    ++at_;
    return make_expression(at, std::move(result));
  }
  while (true) {
    skip_space();
    if (peek() != '"') fail_here("expected a key in double quotes");
    ExpressionPtr key = string();
    expect(':', "behind the key");
    ExpressionPtr member = value(depth + 1);
    result.items.push_back({std::move(key), std::move(member)});
    skip_space();
    if (peek() == ',') {
      ++at_;
      continue;
    }
    expect('}', "behind the last member (or a ',' before the next)");
    return make_expression(at, std::move(result));
  }
}

ExpressionPtr JsonReader::list(int depth) {
  const Place at = place();
  ++at_;
  Tuple result;
  skip_space();
  if (peek() == ']') {
    ++at_;
    return make_expression(at, std::move(result));
  }
  while (true) {
    result.items.push_back(value(depth + 1));
    skip_space();
    if (peek() == ',') {
      ++at_;
      continue;
    }
    expect(']', "behind the last item (or a ',' before the next)");
    return make_expression(at, std::move(result));
  }
}

ExpressionPtr JsonReader::literal() {
  const Place at = place();
  const std::size_t begin = at_;
  while (at_ < text_.size() && text_.find_first_of(" \t\r\n,:{}[]\"", at_) != at_) ++at_;
  const std::string_view word = text_.substr(begin, at_ - begin);
  if (word == "true" || word == "false") return make_expression(at, Literal{Value::of(word == "true")});
  if (word == "null") return make_expression(at, Literal{Value()});
  const std::string_view digits = word.starts_with('-') ? word.substr(1) : word;
  const bool is_number = !digits.empty() && digits[0] >= '0' && digits[0] <= '9' && !digits.ends_with('.') &&
                         (digits[0] != '0' || digits.size() == 1 || digits.find_first_of(".eE") == 1);
  const auto number = is_number ? Number::parse(word) : std::nullopt;
  if (!number) fail(at, word.empty() ? "expected a value" : fmt::format("'{}' is no value", printable(word)));
  return make_expression(at, Literal{Value::of(*number)});
}

std::uint32_t JsonReader::code_unit() {
  const auto code = text_.size() - at_ < 4 ? std::nullopt : parse_unsigned(text_.substr(at_, 4), 16);
  if (!code) fail_here("'\\u' needs four hexadecimal digits");
  at_ += 4;
  return static_cast<std::uint32_t>(*code);
}

void JsonReader::escape(std::string& into) {
  ++at_;
  const char c = peek();
  static constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
  if (const std::size_t found = kFrom.find(c); c != '\0' && found != std::string_view::npos) {
    into += kTo[found];
    ++at_;
    return;
  }
  if (c != 'u') fail_here("an unknown escape behind '\\'");
  ++at_;
  std::uint32_t code = code_unit();
  if (code >= 0xD800 && code < 0xDC00 && text_.substr(at_, 2) == "\\u") {
    const std::size_t before = at_;
    at_ += 2;
    const std::uint32_t low = code_unit();
    if (low >= 0xDC00 && low < 0xE000) {
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else {
      at_ = before;
    }
  }
  append_utf8(into, code >= 0xD800 && code < 0xE000 ? kReplacementCharacter : code);
}

ExpressionPtr JsonReader::string() {
  const Place at = place();
  ++at_;
  Written result;
  while (peek() != '"') {
    if (at_ >= text_.size()) fail(at, "a text without its closing quote");
    if (static_cast<unsigned char>(peek()) < 0x20) fail_here("a control character in a text; write it as an escape");
    if (peek() == '\\') {
      escape(result.text);
    } else {
      const Utf8Character character = next_character(text_.substr(at_));
      // As encoding/json of Go reads a byte that is no UTF-8; another length is that of the character itself.
      const bool is_invalid = character.length == 1 && character.code == kReplacementCharacter;
      result.text += is_invalid ? std::string_view("\uFFFD") : text_.substr(at_, character.length);
      at_ += character.length;
    }
  }
  ++at_;
  try {
    result.expression = Parser(source_, result.text, at.offset + 1).whole_template();
  } catch (const Error& error) {
    result.error = std::make_shared<const Error>(error);
  }
  return make_expression(at, std::move(result));
}

Value json_value(const Source& source) { return plain_value(*JsonReader(source).read()); }

}  // namespace kiln::hcl
