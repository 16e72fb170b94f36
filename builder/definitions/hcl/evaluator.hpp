#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "builder/definitions/hcl/functions.hpp"
#include "builder/definitions/hcl/syntax.hpp"

namespace kiln::hcl {

// A function that a file defines.
struct UserFunction {
  std::vector<std::string> parameters;
  std::string rest;  // the parameter that takes what is left as a tuple; empty: none
  ExpressionPtr result;
};

// What a file's expressions may name. Values are made when they are asked for, so an implementation finds circles.
class Names {
 public:
  virtual ~Names() = default;
  // nullopt where there is none. May throw Error{usage}, as what is asked for may be wrong itself.
  virtual std::optional<Value> variable(const std::string& name) = 0;
  // For TYPE.NAME[.ATTRIBUTE]: whether a root name is a type of blocks, and the value of one or of a part of it.
  virtual bool is_block_type(const std::string& name) const = 0;
  virtual std::optional<Value> block(const std::string& type, const std::string& name,
                                     const std::optional<std::string>& attribute) = 0;
  virtual const UserFunction* function(const std::string& name) const = 0;
  virtual std::vector<std::string> variable_names() const = 0;
  virtual std::vector<std::string> block_names(const std::string& type) const = 0;
  virtual std::vector<std::string> function_names() const = 0;
};

// Names of a `for`, a function's parameters or a matrix, over those outside.
struct Scope {
  const Scope* outer = nullptr;
  std::map<std::string, Value> values;
  bool hides_outer = false;  // a function sees its parameters and what is global
};

// Evaluates expressions. What one Evaluator does is bounded, whatever it evaluates: its steps, the bytes of the texts
// that it makes, how much one value holds, and how deep it goes.
class Evaluator {
 public:
  explicit Evaluator(Names& names) : names_(names) {}

  // Error{usage} with the place of what cannot be evaluated.
  Value evaluate(const Expression& expression, const Scope* scope = nullptr);
  // The same, converted; the message of what does not fit names the place.
  Value evaluate_as(const Expression& expression, const Type& type, const Scope* scope = nullptr);
  // For a value that is kept in texts: its bytes count as those of texts that were made.
  void charge_result(const Value& value, const Place& place);

 private:
  class Step;
  Value evaluate_node(const Expression& expression, const Scope* scope);
  Value template_text(const Template& node, const Scope* scope);
  Value joined(const Joined& node, const Scope* scope);
  Value variable(const Expression& expression, const std::string& name, const Scope* scope);
  std::optional<Value> block_part(const Expression& expression, const Scope* scope);
  Value attribute(const Expression& expression, const Attribute& node, const Scope* scope);
  Value index(const Expression& expression, const Index& node, const Scope* scope);
  Value splat(const Expression& expression, const Splat& node, const Scope* scope);
  Value conditional(const Expression& expression, const Conditional& node, const Scope* scope);
  Value operation(const Expression& expression, const Operation& node, const Scope* scope);
  Value logical(const Operation& node, const Scope* scope);
  Value for_value(const For& node, const Scope* scope);
  Value object(const Object& node, const Scope* scope);
  Value call(const Expression& expression, const Call& node, const Scope* scope);
  Value call_user(const Expression& expression, const Call& node, const UserFunction& function, const Scope* scope);
  Value call_special(const Expression& expression, const Call& node, const Scope* scope);
  std::vector<std::pair<Value, Place>> arguments(const Expression& expression, const Call& node, const Scope* scope);
  bool condition(const Expression& expression, const Scope* scope, std::string_view what);
  bool is_visible(const std::string& name, const Scope* scope) const;
  void charge(std::size_t steps, const Place& place);
  [[noreturn]] void exhaust(const Place& place, std::string_view message);
  // For a text that was made.
  void charge_bytes(std::size_t bytes, const Place& place);

  Names& names_;
  std::vector<Value> splat_items_;
  std::vector<const UserFunction*> active_functions_;
  std::size_t steps_ = 0;
  std::size_t text_bytes_ = 0;
  std::optional<Error> exhausted_;
  int depth_ = 0;
};

}  // namespace kiln::hcl
