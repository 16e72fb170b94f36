#include "builder/definitions/hcl/parser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/text.hpp"

namespace kiln::hcl {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

struct Spelling {
  std::string_view text;
  Operator op;
};
// The lowest precedence first; a longer spelling before one that begins it.
const std::array<std::vector<Spelling>, 6> kBinary = {{
    {{"||", Operator::logical_or}},
    {{"&&", Operator::logical_and}},
    {{"==", Operator::equal}, {"!=", Operator::not_equal}},
    {{">=", Operator::greater_or_equal},
     {">", Operator::greater},
     {"<=", Operator::less_or_equal},
     {"<", Operator::less}},
    {{"+", Operator::add}, {"-", Operator::subtract}},
    {{"*", Operator::multiply}, {"/", Operator::divide}, {"%", Operator::modulo}},
}};

// NAME.PART or NAME["PART"], however many parts there are.
bool is_path_of_variable(const Expression& expression) {
  const Expression* at = &expression;
  while (true) {
    if (const auto* attribute = std::get_if<Attribute>(&at->node)) {
      at = attribute->object.get();
    } else if (const auto* index = std::get_if<Index>(&at->node);
               index != nullptr && std::holds_alternative<Literal>(index->key->node)) {
      at = index->collection.get();
    } else {
      return at != &expression && std::holds_alternative<Variable>(at->node);
    }
  }
}

}  // namespace

std::shared_ptr<Body> Parser::body(bool is_nested) {
  const Depth depth(*this);
  auto result = std::make_shared<Body>();
  result->place = place();
  while (true) {
    skip_lines();
    if (at_end() || (is_nested && peek() == '}')) break;
    end_of_item(body_item(*result));
  }
  result->end = place();
  return result;
}

std::string_view Parser::body_item(Body& into) {
  const Place at = place();
  if (!at_name()) {
    fail_here(peek() == '"' ? "an attribute's name is written without quotes"
                            : "expected an attribute or a block, such as 'NAME = VALUE' or 'target \"NAME\" {'");
  }
  const std::string item_name = name("a name");
  skip_space();
  if (peek() == '=' && peek(1) != '=') {
    ++at_;
    if (const NamedExpression* before = into.find(item_name)) {
      fail(at,
           fmt::format("the attribute '{}' was already set in line {}", printable(item_name), before->place.line()));
    }
    ExpressionPtr value = expression();
    into.attributes.push_back({item_name, at, std::move(value)});
    return "attribute";
  }
  Block block{item_name, {}, at, at, nullptr};
  while (true) {
    skip_space();
    if (peek() != '"' && !at_name()) break;
    if (block.labels.empty()) block.label_place = place();
    if (at_name()) {
      block.labels.push_back(name("a label"));
      continue;
    }
    const Place label = place();
    const ExpressionPtr text = quoted();
    const auto* literal = std::get_if<Literal>(&text->node);
    if (literal == nullptr || !literal->value.is(Value::Kind::string))
      fail(label, "a label is a text without templates");
    block.labels.push_back(literal->value.text());
  }
  if (peek() != '{') {
    fail_here(fmt::format("expected '=' or '{{' behind '{}'", printable(item_name)));
  }
  ++at_;
  skip_space();
  const bool is_one_line = peek() != '\n' && peek() != '}';
  auto nested = is_one_line ? one_line_body() : body(true);
  if (at_end()) fail(block.place, fmt::format("the block '{}' has no '}}' at its end", printable(item_name)));
  ++at_;
  block.body = std::move(nested);
  into.blocks.push_back(std::move(block));
  return "block";
}

// `{ NAME = VALUE }`: what begins on the line of the brace ends there too.
std::shared_ptr<Body> Parser::one_line_body() {
  auto result = std::make_shared<Body>();
  result->place = place();
  body_item(*result);
  if (!result->blocks.empty()) fail(result->place, "a block in a block begins on a line of its own");
  skip_space();
  if (!at_end() && peek() != '}') {
    fail(result->place, "an attribute on the line of the block's '{' is its only one, and the '}' stands on that line");
  }
  result->end = place();
  return result;
}

void Parser::end_of_item(std::string_view what) {
  skip_space();
  if (at_end() || peek() == '\n') return;
  if (peek() == '}') fail_here(fmt::format("expected a new line behind the {}, before this '}}'", what));
  if (peek() == ',') {
    fail_here(fmt::format("no comma belongs behind an {}; each stands on a line of its own",
                          what == "block" ? "block's end" : what));
  }
  fail_here(fmt::format("expected a new line behind the {}", what));
}

ExpressionPtr Parser::expression() {
  const Depth depth(*this);
  return conditional();
}

ExpressionPtr Parser::whole_expression() {
  skips_newlines_ = true;
  ExpressionPtr result = expression();
  skip_space();
  if (!at_end()) fail_here("expected the end of the expression");
  return result;
}

ExpressionPtr Parser::conditional() {
  skip_space();
  const Place at = place();
  ExpressionPtr condition = binary(0);
  if (!accept("?")) return condition;
  ExpressionPtr if_true = expression();
  expect(":", "between the two results of a condition");
  ExpressionPtr if_false = expression();
  return make_expression(at, Conditional{std::move(condition), std::move(if_true), std::move(if_false)});
}

ExpressionPtr Parser::binary(std::size_t level) {
  if (level == kBinary.size()) return unary();
  skip_space();
  const Place at = place();
  ExpressionPtr left = binary(level + 1);
  // The chain is as deep to walk as it is long.
  for (int count = 0;; ++count) {
    skip_space();
    const auto found = std::find_if(kBinary[level].begin(), kBinary[level].end(),
                                    [&](const Spelling& spelling) { return starts_with(spelling.text); });
    if (found == kBinary[level].end()) return left;
    if (count > kMaxParseDepth) fail_here(fmt::format("more than {} operators in a row", kMaxParseDepth));
    at_ += found->text.size();
    ExpressionPtr right = binary(level + 1);
    left = make_expression(at, Operation{found->op, std::move(left), std::move(right)});
  }
}

ExpressionPtr Parser::unary() {
  const Depth depth(*this);
  skip_space();
  const Place at = place();
  if (accept("-")) return make_expression(at, Operation{Operator::negate, unary(), nullptr});
  if (peek() == '!' && peek(1) != '=') {
    ++at_;
    return make_expression(at, Operation{Operator::logical_not, unary(), nullptr});
  }
  return traversals(term());
}

ExpressionPtr Parser::term() {
  skip_space();
  const Place at = place();
  if (is_digit(peek())) return number();
  if (peek() == '"') return quoted();
  if (starts_with("<<")) return heredoc();
  if (peek() == '[') return tuple();
  if (peek() == '{') return object();
  if (at_name()) return named();
  if (peek() == '(') {
    ++at_;
    const bool before = std::exchange(skips_newlines_, true);
    ExpressionPtr inner = expression();
    expect(")", "behind the expression");
    skips_newlines_ = before;
    return make_expression(at, Parentheses{std::move(inner)});
  }
  if (peek() == '\'') fail_here("texts are written in double quotes");
  fail_here(at_end() || peek() == '\n' ? "expected an expression, got the end of the line" : "expected an expression");
}

ExpressionPtr Parser::traversals(ExpressionPtr from) {
  for (int count = 0;; ++count) {
    skip_space();
    const Place at = place();
    if (count > kMaxParseDepth) fail_here(fmt::format("more than {} parts behind one another", kMaxParseDepth));
    if (peek() == '.' && !starts_with("...")) {
      ++at_;
      from = after_dot(std::move(from), at);
    } else if (peek() == '[') {
      ++at_;
      const bool before = std::exchange(skips_newlines_, true);
      skip_space();
      if (peek() == '*') {
        ++at_;
        expect("]", "behind '[*'");
        skips_newlines_ = before;
        const Depth depth(*this);
        ExpressionPtr each = traversals(make_expression(at, SplatItem{}));
        from = make_expression(at, Splat{std::move(from), std::move(each)});
      } else {
        ExpressionPtr key = expression();
        expect("]", "behind the index");
        skips_newlines_ = before;
        from = make_expression(at, Index{std::move(from), std::move(key)});
      }
    } else {
      return from;
    }
  }
}

ExpressionPtr Parser::after_dot(ExpressionPtr from, const Place& at) {
  skip_space();
  if (peek() == '*') {
    ++at_;
    return attribute_splat(std::move(from), at);
  }
  if (is_digit(peek())) {
    const std::size_t begin = at_;
    while (is_digit(peek())) ++at_;
    const auto index = Number::parse(text_.substr(begin, at_ - begin));
    if (!index) fail(at, "the index is too large");
    return make_expression(at, Index{std::move(from), make_expression(at, Literal{Value::of(*index)})});
  }
  return make_expression(at, Attribute{std::move(from), name("a name behind '.'")});
}

// `a.*.b.c`: what follows the star, attributes and written indexes only, is taken of each item.
ExpressionPtr Parser::attribute_splat(ExpressionPtr from, const Place& at) {
  ExpressionPtr each = make_expression(at, SplatItem{});
  for (int count = 0;; ++count) {
    skip_space();
    if (peek() != '.' || starts_with("...") || count > kMaxParseDepth) break;
    const Place dot = place();
    ++at_;
    skip_space();
    if (peek() == '*') fail_here("a '*' cannot stand behind another '.*'; write '[*]'");
    each = after_dot(std::move(each), dot);
  }
  return make_expression(at, Splat{std::move(from), std::move(each)});
}

ExpressionPtr Parser::number() {
  const Place at = place();
  const std::size_t begin = at_;
  while (is_digit(peek())) ++at_;
  if (peek() == '.' && is_digit(peek(1))) {
    ++at_;
    while (is_digit(peek())) ++at_;
  }
  if (peek() == 'e' || peek() == 'E') {
    const std::size_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
    if (is_digit(peek(1 + sign))) {
      at_ += 1 + sign;
      while (is_digit(peek())) ++at_;
    }
  }
  const auto value = Number::parse(text_.substr(begin, at_ - begin));
  if (!value) fail(at, "the number is too large or too small");
  return make_expression(at, Literal{Value::of(*value)});
}

ExpressionPtr Parser::named() {
  const Place at = place();
  std::string word = name("a name");
  if (word == "true" || word == "false") return make_expression(at, Literal{Value::of(word == "true")});
  if (word == "null") return make_expression(at, Literal{Value()});
  skip_space();
  if (peek() == '(') return call(std::move(word), at);
  return make_expression(at, Variable{std::move(word)});
}

ExpressionPtr Parser::call(std::string function, const Place& at) {
  ++at_;
  const bool before = std::exchange(skips_newlines_, true);
  Call call{std::move(function), {}, false};
  while (!accept(")")) {
    call.arguments.push_back(expression());
    if (accept("...")) {
      call.expands_last = true;
      expect(")", "behind '...'");
      break;
    }
    if (accept(",")) continue;
    expect(")", "behind the arguments");
    break;
  }
  skips_newlines_ = before;
  return make_expression(at, std::move(call));
}

ExpressionPtr Parser::tuple() {
  const Place at = place();
  ++at_;
  const bool before = std::exchange(skips_newlines_, true);
  skip_space();
  if (at_word("for")) {
    ExpressionPtr result = for_expression(']');
    skips_newlines_ = before;
    return result;
  }
  Tuple tuple;
  while (!accept("]")) {
    tuple.items.push_back(expression());
    if (accept(",")) continue;
    expect("]", "behind the items (or a ',' between them)");
    break;
  }
  skips_newlines_ = before;
  return make_expression(at, std::move(tuple));
}

ExpressionPtr Parser::object() {
  const Place at = place();
  ++at_;
  skip_lines();
  if (at_word("for")) {
    const bool before = std::exchange(skips_newlines_, true);
    ExpressionPtr result = for_expression('}');
    skips_newlines_ = before;
    return result;
  }
  // Newlines part the items, even inside brackets.
  const bool before = std::exchange(skips_newlines_, false);
  Object object;
  while (true) {
    skip_lines();
    if (accept("}")) break;
    ExpressionPtr key = object_key();
    skip_space();
    if (!accept("=") && !accept(":")) fail_here("expected '=' behind the key");
    ExpressionPtr value = expression();
    object.items.push_back({std::move(key), std::move(value)});
    skip_space();
    if (accept(",") || peek() == '\n') continue;
    if (accept("}")) break;
    fail_here(at_end() ? "an object without its '}'" : "expected a new line or a ',' behind the item");
  }
  skips_newlines_ = before;
  return make_expression(at, std::move(object));
}

// A bare word is a key by itself; what stands in quotes or parentheses is evaluated.
ExpressionPtr Parser::object_key() {
  const bool is_quoted = peek() == '"';
  const Place at = place();
  ExpressionPtr key = expression();
  if (is_quoted) return key;
  if (const auto word = keyword_of(*key)) return make_expression(key->place, Literal{Value::of(*word)});
  if (is_path_of_variable(*key)) {
    fail(at, "a key with a '.' or an index is written in quotes, or in parentheses where it names a value");
  }
  return key;
}

ExpressionPtr Parser::for_expression(char close) {
  const Place at = place();
  name("'for'");
  For result;
  result.value_name = name("a name behind 'for'");
  if (accept(",")) {
    result.key_name = std::move(result.value_name);
    result.value_name = name("a name behind ','");
  }
  skip_space();
  if (!at_word("in")) fail_here("expected 'in' behind the names of 'for'");
  name("'in'");
  result.collection = expression();
  expect(":", "behind what 'for' goes through");
  result.value = expression();
  if (close == '}') {
    expect("=>", "behind the key (or the object is a list: write '[for')");
    result.key = std::move(result.value);
    result.value = expression();
    result.groups = accept("...");
  }
  skip_space();
  if (at_word("if")) {
    name("'if'");
    result.condition = expression();
  }
  expect(std::string(1, close), "at the end of 'for'");
  return make_expression(at, std::move(result));
}

}  // namespace kiln::hcl
