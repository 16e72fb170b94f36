#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "builder/definitions/hcl/syntax.hpp"

namespace kiln::hcl {

// What is wrong with a value, for the caller to put a place before.
class ValueError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The value as another type, as cty converts: numbers and bools to strings and back, structures to collections whose
// elements fit, maps to objects that have what these need. ValueError "a number is required".
Value convert(const Value& value, const Type& type);
bool can_convert(const Type& from, const Type& to, bool is_unsafe);
// The type that all can be converted to; nullopt where there is none. The unsafe way, which conditions take, lets
// strings become numbers too.
std::optional<Type> unify(const std::vector<Type>& types, bool is_unsafe);

// The type that an expression spells: string, list(number), object({a = string, b = optional(bool)}). Error{usage}.
Type parse_type(const ExpressionPtr& expression);

// As cty marshals a value: members in the order of their names. The appending forms are for documents of many values.
std::string to_json_text(const Value& value);
void append_json(std::string& into, const Value& value);
// A string of JSON with its quotes, as Go's encoder writes it: it thinks of HTML, and of the two line separators of
// Unicode that a JavaScript string could not hold.
void append_json_text(std::string& into, std::string_view text);

}  // namespace kiln::hcl
