#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "builder/definitions/hcl/source.hpp"
#include "builder/definitions/hcl/value.hpp"

// The syntax tree that both of HCL's syntaxes are read into, the native one (hashicorp/hcl hclsyntax/spec.md) and JSON
// (json/spec.md). Nothing behind it knows which of them a file was written in.
namespace kiln::hcl {

struct Expression;
using ExpressionPtr = std::shared_ptr<const Expression>;

struct Literal {
  Value value;
};
// Parts that are converted to strings and put behind one another. A lone `${x}` is x itself and no template.
struct Template {
  std::vector<ExpressionPtr> parts;
};
// What a `%{ for }` makes: the texts of a tuple behind one another.
struct Joined {
  ExpressionPtr tuple;
};
struct Variable {
  std::string name;
};
struct Attribute {
  ExpressionPtr object;
  std::string name;
};
struct Index {
  ExpressionPtr collection;
  ExpressionPtr key;
};
// `each` is evaluated once per item of `source`; SplatItem in it is that item.
struct Splat {
  ExpressionPtr source;
  ExpressionPtr each;
};
struct SplatItem {};
struct Call {
  std::string name;
  std::vector<ExpressionPtr> arguments;
  bool expands_last = false;  // f(a, b...)
};
struct Conditional {
  ExpressionPtr condition, if_true, if_false;
};
enum class Operator {
  logical_or,
  logical_and,
  equal,
  not_equal,
  greater,
  greater_or_equal,
  less,
  less_or_equal,
  add,
  subtract,
  multiply,
  divide,
  modulo,
  negate,
  logical_not
};
struct Operation {
  Operator op = Operator::add;
  ExpressionPtr left;  // the only operand of negate and logical_not
  ExpressionPtr right;
};
struct For {
  std::string key_name;  // empty: none
  std::string value_name;
  ExpressionPtr collection;
  ExpressionPtr key;  // of an object; nullptr: a tuple
  ExpressionPtr value;
  ExpressionPtr condition;  // may be nullptr
  bool groups = false;      // `value...`
};
struct Tuple {
  std::vector<ExpressionPtr> items;
};
struct Object {
  struct Item {
    ExpressionPtr key;
    ExpressionPtr value;
  };
  std::vector<Item> items;
  // JSON refuses a key that comes twice, the native syntax lets the last one count.
  bool refuses_duplicates = false;
};
struct Parentheses {
  ExpressionPtr inner;
};
// A string of JSON: a template, and where a word or a type is meant, what it spells. That it is no template is only
// said where it is used as one.
struct Written {
  std::string text;
  ExpressionPtr expression;  // nullptr where `error` is set
  std::shared_ptr<const Error> error;
};

struct Expression {
  Place place;
  std::variant<Literal, Template, Joined, Variable, Attribute, Index, Splat, SplatItem, Call, Conditional, Operation,
               For, Tuple, Object, Parentheses, Written>
      node;
};

// Words as types, parameters and keys are: `string`, in JSON "string". nullopt for anything else, and so for a text in
// quotes in the native syntax.
std::optional<std::string> keyword_of(const Expression& expression);

struct Body;

struct NamedExpression {
  std::string name;
  Place place;
  ExpressionPtr value;
};

struct Block {
  std::string type;
  std::vector<std::string> labels;
  Place place;        // of the type
  Place label_place;  // of the first label; of the type where there is none
  std::shared_ptr<const Body> body;
};

// JSON does not say whether a member is an attribute or a block: there everything is an attribute until blocks_of() is
// asked for a type. Its lists of objects are one body where a body is meant, and its "//" is a comment.
struct Body {
  Place place;
  std::vector<NamedExpression> attributes;
  std::vector<Block> blocks;
  bool is_json = false;
  Place end;

  // nullptr where there is none. Error{usage} for one that JSON has twice.
  const NamedExpression* find(const std::string& name) const;
  // The blocks of a type with that many labels, in the file's order. Error{usage} where a JSON member has another
  // shape.
  std::vector<Block> blocks_of(const std::string& type, std::size_t label_count) const;
};

struct Document {
  std::shared_ptr<const Source> source;
  std::shared_ptr<const Body> body;
};

// Error{usage} with the place for what is no HCL, and for what nests deeper than 200. No text makes the reader use more
// than a small multiple of its size.
Document parse_native(std::string name, std::string text);
Document parse_json_syntax(std::string name, std::string text);
// The expression that a string of JSON spells ("list(string)"); anything else is itself.
ExpressionPtr spelled_expression(const ExpressionPtr& expression);

}  // namespace kiln::hcl
