#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "base/text.hpp"
#include "builder/definitions/hcl/convert.hpp"
#include "builder/definitions/hcl/functions.hpp"

namespace kiln::hcl {

namespace {

using Values = std::vector<Value>;

Value from_double(double value) {
  const auto number = Number::from_double(value);
  if (!number) throw ValueError("the result is no finite number");
  return Value::of(*number);
}

const Number& divisor(const Value& value) {
  if (value.number().is_zero()) throw ValueError("a division by zero");
  return value.number();
}

Value least_or_most(const Values& numbers, bool wants_most) {
  if (numbers.empty()) throw ValueError("at least one number is required");
  Value result = numbers.front();
  for (const Value& number : numbers) {
    const bool is_less = number.number() < result.number();
    const bool is_more = result.number() < number.number();
    if (wants_most ? is_more : is_less) result = number;
  }
  return result;
}

Value parseint(const Values& arguments) {
  if (arguments[0].kind() != Type::Kind::string) throw ValueError("the first argument must be a string");
  const auto base = static_cast<int>(whole_number(arguments[1], "the base", 2, 62));
  const auto number = Number::parse_digits(arguments[0].text(), base);
  if (!number) {
    throw ValueError(fmt::format("'{}' is no whole number of base {}", printable(arguments[0].text()), base));
  }
  return Value::of(*number);
}

std::size_t division_cost(const Values&) { return kDivisionSteps; }
std::size_t multiplication_cost(const Values&) { return kMultiplicationSteps; }

}  // namespace

FunctionTable number_functions() {
  const Parameter a{"a", Type::number()}, b{"b", Type::number()}, number{"num", Type::number()};
  const Parameter x{"a", Type::boolean()}, y{"b", Type::boolean()};
  const auto unary = [&](Value (*call)(const Number&)) {
    return Function{{number}, {}, [call](const Values& v) { return call(v[0].number()); }};
  };
  const auto binary = [&](Value (*call)(const Number&, const Number&)) {
    return Function{{a, b}, {}, [call](const Values& v) { return call(v[0].number(), v[1].number()); }};
  };
  return {
      {"absolute", unary([](const Number& n) { return Value::of(n.is_negative() ? n.negated() : n); })},
      {"add", binary([](const Number& m, const Number& n) { return Value::of(m + n); })},
      {"and", {{x, y}, {}, [](const Values& v) { return Value::of(v[0].boolean() && v[1].boolean()); }}},
      {"ceil", unary([](const Number& n) { return Value::of(n.ceil()); })},
      {"divide", {{a, b}, {}, [](const Values& v) { return Value::of(v[0].number() / divisor(v[1])); }, division_cost}},
      {"floor", unary([](const Number& n) { return Value::of(n.floor()); })},
      {"greaterthan", binary([](const Number& m, const Number& n) { return Value::of(n < m); })},
      {"greaterthanorequalto", binary([](const Number& m, const Number& n) { return Value::of(!(m < n)); })},
      {"int", unary([](const Number& n) { return Value::of(n.truncated()); })},
      {"lessthan", binary([](const Number& m, const Number& n) { return Value::of(m < n); })},
      {"lessthanorequalto", binary([](const Number& m, const Number& n) { return Value::of(!(n < m)); })},
      {"log", binary([](const Number& m, const Number& n) {
         return from_double(std::log(m.to_double()) / std::log(n.to_double()));
       })},
      {"max", {{}, number, [](const Values& v) { return least_or_most(v, true); }}},
      {"min", {{}, number, [](const Values& v) { return least_or_most(v, false); }}},
      {"modulo", {{a, b}, {}, [](const Values& v) { return Value::of(v[0].number() % divisor(v[1])); }, division_cost}},
      {"multiply",
       {{a, b}, {}, [](const Values& v) { return Value::of(v[0].number() * v[1].number()); }, multiplication_cost}},
      {"negate", unary([](const Number& n) { return Value::of(n.negated()); })},
      {"not", {{x}, {}, [](const Values& v) { return Value::of(!v[0].boolean()); }}},
      {"or", {{x, y}, {}, [](const Values& v) { return Value::of(v[0].boolean() || v[1].boolean()); }}},
      {"parseint", {{{"number", Type()}, {"base", Type::number()}}, {}, parseint}},
      {"pow",
       binary([](const Number& m, const Number& n) { return from_double(std::pow(m.to_double(), n.to_double())); })},
      {"signum",
       {{number},
        {},
        [](const Values& v) {
          using Limits = std::numeric_limits<std::int64_t>;
          const std::int64_t whole = whole_number(v[0], "the number", Limits::min(), Limits::max());
          return Value::of(std::int64_t{whole < 0 ? -1 : whole == 0 ? 0 : 1});
        }}},
      {"subtract", binary([](const Number& m, const Number& n) { return Value::of(m - n); })},
  };
}

}  // namespace kiln::hcl
