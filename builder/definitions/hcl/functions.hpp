#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/definitions/hcl/value.hpp"

// The functions that buildx 0.38 offers in a bake file, by its list (bake/hclparser/stdlib.go) and with the results of
// go-cty. `try`, `can` and `convert` take expressions and are the evaluator's.
namespace kiln::hcl {

struct Parameter {
  std::string_view name;
  Type type;  // what an argument is converted to
  bool allows_null = false;
};

struct Function {
  std::vector<Parameter> parameters;
  std::optional<Parameter> rest;  // any number more
  // ValueError for what it cannot work with.
  std::function<Value(const std::vector<Value>&)> call;
  // The evaluator's steps that a call takes beyond one for each part of its arguments and its result; none: that is
  // all.
  std::function<std::size_t(const std::vector<Value>&)> cost = nullptr;
};

// What operators and functions of arithmetic are charged, by what numbers of 155 digits take.
inline constexpr std::size_t kDivisionSteps = 400;
inline constexpr std::size_t kMultiplicationSteps = 60;

using FunctionTable = std::map<std::string, Function, std::less<>>;

// nullptr where there is none.
const Function* find_function(std::string_view name);
// All names, those of the evaluator too.
std::vector<std::string> function_names();

// ValueError where a text would be larger than 16 MiB.
void check_text_size(std::size_t bytes);
// An argument as a whole number between bounds. ValueError.
std::int64_t whole_number(const Value& value, std::string_view what, std::int64_t least, std::int64_t most);

// The tables that it is made of, one file each.
FunctionTable collection_functions();
FunctionTable set_functions();
FunctionTable number_functions();
FunctionTable text_functions();
FunctionTable pattern_functions();
FunctionTable time_functions();
FunctionTable encoding_functions();
FunctionTable network_functions();
FunctionTable version_functions();

}  // namespace kiln::hcl
