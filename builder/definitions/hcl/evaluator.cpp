#include "builder/definitions/hcl/evaluator.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/count_of.hpp"
#include "base/near_hint.hpp"
#include "base/text.hpp"
#include "builder/definitions/hcl/convert.hpp"

namespace kiln::hcl {

namespace {

using Kind = Type::Kind;

constexpr std::size_t kMaxSteps = 3'000'000;
constexpr std::size_t kFailureSteps = 50;  // an error that something catches: its message has been made by then
constexpr std::size_t kMaxMadeBytes = std::size_t{64} << 20;
constexpr std::size_t kMaxWeight = 2'000'000;
constexpr int kMaxDepth = 1000;

std::string kind_name(const Value& value) { return value.is_null() ? "null" : value.type().name(); }

std::vector<std::string> names_of(const Value::Members& members) {
  std::vector<std::string> names;
  for (const auto& [name, member] : members) names.push_back(name);
  return names;
}

}  // namespace

class Evaluator::Step {
 public:
  Step(Evaluator& evaluator, const Place& place) : evaluator_(evaluator) {
    evaluator_.charge(1, place);
    if (evaluator_.depth_ >= kMaxDepth) fail(place, "the evaluation goes too deep");
    ++evaluator_.depth_;
  }
  ~Step() { --evaluator_.depth_; }
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;

 private:
  Evaluator& evaluator_;
};

// What catches an error, such as try(), gets no further than this one: it comes again at the next step.
void Evaluator::exhaust(const Place& place, std::string_view message) {
  try {
    fail(place, message);
  } catch (const Error& error) {
    exhausted_ = error;
    throw;
  }
}

void Evaluator::charge(std::size_t steps, const Place& place) {
  if (exhausted_) throw Error(*exhausted_);
  steps_ += std::min(steps, kMaxSteps + 1);
  if (steps_ > kMaxSteps)
    exhaust(place, fmt::format("evaluating the bake files takes more than {} steps here", kMaxSteps));
}

void Evaluator::charge_bytes(std::size_t bytes, const Place& place) {
  if (exhausted_) throw Error(*exhausted_);
  text_bytes_ += bytes;
  if (text_bytes_ > kMaxMadeBytes) {
    exhaust(place, fmt::format("evaluating the bake files makes more than {} MiB of texts here", kMaxMadeBytes >> 20));
  }
}

void Evaluator::charge_result(const Value& value, const Place& place) { charge_bytes(value.weight() * 16, place); }

Value Evaluator::evaluate(const Expression& expression, const Scope* scope) {
  const Step step(*this, expression.place);
  try {
    Value value = evaluate_node(expression, scope);
    if (value.weight() > kMaxWeight) {
      fail(expression.place,
           fmt::format("the value holds more than {} parts (each item, and each 16 bytes of texts)", kMaxWeight));
    }
    return value;
  } catch (const ValueError& error) {
    fail(expression.place, error.what());
  }
}

Value Evaluator::evaluate_as(const Expression& expression, const Type& type, const Scope* scope) {
  const Value value = evaluate(expression, scope);
  if (!type.is_primitive() && !type.is_dynamic()) charge(value.weight(), expression.place);
  try {
    return convert(value, type);
  } catch (const ValueError& error) {
    fail(expression.place, error.what());
  }
}

Value Evaluator::evaluate_node(const Expression& expression, const Scope* scope) {
  const auto& node = expression.node;
  if (const auto* literal = std::get_if<Literal>(&node)) return literal->value;
  if (const auto* it = std::get_if<Variable>(&node)) return variable(expression, it->name, scope);
  if (const auto* it = std::get_if<Template>(&node)) return template_text(*it, scope);
  if (const auto* it = std::get_if<Written>(&node)) {
    if (it->error) throw Error(*it->error);
    return evaluate(*it->expression, scope);
  }
  if (const auto* it = std::get_if<Parentheses>(&node)) return evaluate(*it->inner, scope);
  if (const auto* it = std::get_if<Attribute>(&node)) return attribute(expression, *it, scope);
  if (const auto* it = std::get_if<Index>(&node)) return index(expression, *it, scope);
  if (const auto* it = std::get_if<Call>(&node)) return call(expression, *it, scope);
  if (const auto* it = std::get_if<Conditional>(&node)) return conditional(expression, *it, scope);
  if (const auto* it = std::get_if<Operation>(&node)) return operation(expression, *it, scope);
  if (const auto* it = std::get_if<For>(&node)) return for_value(*it, scope);
  if (const auto* it = std::get_if<Object>(&node)) return object(*it, scope);
  if (const auto* it = std::get_if<Joined>(&node)) return joined(*it, scope);
  if (const auto* it = std::get_if<Splat>(&node)) return splat(expression, *it, scope);
  if (const auto* it = std::get_if<Tuple>(&node)) {
    Value::Items items;
    items.reserve(it->items.size());
    for (const ExpressionPtr& item : it->items) items.push_back(evaluate(*item, scope));
    return Value::tuple(std::move(items));
  }
  return splat_items_.back();  // SplatItem
}

Value Evaluator::template_text(const Template& node, const Scope* scope) {
  std::string result;
  for (const ExpressionPtr& part : node.parts) {
    const Value value = evaluate(*part, scope);
    if (value.is_null()) fail(part->place, "a null cannot stand in a text");
    Value text;
    try {
      text = convert(value, Type::string());
    } catch (const ValueError& error) {
      fail(part->place, fmt::format("{} cannot stand in a text", kind_name(value)));
    }
    check_text_size(result.size() + text.text().size());
    result += text.text();
  }
  charge_bytes(result.size(), node.parts.front()->place);
  return Value::of(std::move(result));
}

Value Evaluator::joined(const Joined& node, const Scope* scope) {
  const Value tuple = evaluate(*node.tuple, scope);
  std::string result;
  for (const Value& item : tuple.items()) {
    if (item.is_null()) fail(node.tuple->place, "a null cannot stand in a text");
    result += convert(item, Type::string()).text();
    check_text_size(result.size());
  }
  charge_bytes(result.size(), node.tuple->place);
  return Value::of(std::move(result));
}

bool Evaluator::is_visible(const std::string& name, const Scope* scope) const {
  for (; scope != nullptr; scope = scope->hides_outer ? nullptr : scope->outer) {
    if (scope->values.contains(name)) return true;
  }
  return false;
}

Value Evaluator::variable(const Expression& expression, const std::string& name, const Scope* scope) {
  const auto next = [](const Scope* at) { return at->hides_outer ? nullptr : at->outer; };
  for (const Scope* at = scope; at != nullptr; at = next(at)) {
    const auto found = at->values.find(name);
    if (found != at->values.end()) return found->second;
  }
  if (auto value = names_.variable(name)) return *std::move(value);
  if (names_.is_block_type(name)) {
    fail(expression.place, fmt::format("'{}' is no variable; write '{}.NAME.ATTRIBUTE'", name, name));
  }
  std::vector<std::string> known = names_.variable_names();
  for (const Scope* at = scope; at != nullptr; at = next(at)) {
    for (const auto& [other, value] : at->values) known.push_back(other);
  }
  fail(expression.place, fmt::format("unknown variable '{}'{}", printable(name), suggestion(name, known)));
}

// TYPE.NAME and TYPE.NAME.ATTRIBUTE, without evaluating what is not asked for.
std::optional<Value> Evaluator::block_part(const Expression& expression, const Scope* scope) {
  const auto* outer = std::get_if<Attribute>(&expression.node);
  const auto* inner = outer == nullptr ? nullptr : std::get_if<Attribute>(&outer->object->node);
  const Attribute* named = inner != nullptr ? inner : outer;
  if (named == nullptr) return std::nullopt;
  const auto* root = std::get_if<Variable>(&named->object->node);
  if (root == nullptr || !names_.is_block_type(root->name) || is_visible(root->name, scope)) return std::nullopt;
  const auto attribute_name = inner != nullptr ? std::optional(outer->name) : std::nullopt;
  if (auto value = names_.block(root->name, named->name, attribute_name)) return value;
  fail(expression.place, fmt::format("unknown {} '{}'{}", root->name, printable(named->name),
                                     suggestion(named->name, names_.block_names(root->name))));
}

Value Evaluator::attribute(const Expression& expression, const Attribute& node, const Scope* scope) {
  if (auto value = block_part(expression, scope)) return *std::move(value);
  const Value object = evaluate(*node.object, scope);
  if (object.is_null()) fail(expression.place, fmt::format("null has no attribute '{}'", printable(node.name)));
  if (!object.is_mapping()) {
    fail(expression.place,
         fmt::format("a value of type {} has no attribute '{}'", kind_name(object), printable(node.name)));
  }
  const auto member = object.members().find(node.name);
  if (member != object.members().end()) return member->second;
  fail(expression.place, fmt::format("there is no attribute '{}'{}", printable(node.name),
                                     suggestion(node.name, names_of(object.members()))));
}

Value Evaluator::index(const Expression& expression, const Index& node, const Scope* scope) {
  const Value collection = evaluate(*node.collection, scope);
  const Value key = evaluate(*node.key, scope);
  if (collection.is_null()) fail(expression.place, "null cannot be indexed");
  if (key.is_null()) fail(node.key->place, "null is no index");
  if (collection.is_mapping()) {
    const std::string name = convert(key, Type::string()).text();
    const auto member = collection.members().find(name);
    if (member != collection.members().end()) return member->second;
    fail(node.key->place,
         fmt::format("there is no key '{}'{}", printable(name), suggestion(name, names_of(collection.members()))));
  }
  if (!collection.is_sequence() || collection.kind() == Kind::set) {
    fail(expression.place, fmt::format("a value of type {} cannot be indexed", kind_name(collection)));
  }
  const Value number = convert(key, Type::number());
  const auto position = number.number().to_int64();
  if (!position || *position < 0 || static_cast<std::size_t>(*position) >= collection.size()) {
    fail(node.key->place,
         fmt::format("there is no item {}; the list has {}", number.number().text(), collection.size()));
  }
  return collection.items()[static_cast<std::size_t>(*position)];
}

Value Evaluator::splat(const Expression& expression, const Splat& node, const Scope* scope) {
  const Value source = evaluate(*node.source, scope);
  const bool is_list = source.kind() == Kind::list || source.kind() == Kind::set || source.kind() == Kind::tuple;
  if (source.is_null()) {
    if (!is_list) return Value::tuple({});
    fail(expression.place, "null has no items");
  }
  Value::Items items;
  for (const Value& item : is_list ? source.items() : Value::Items{source}) {
    splat_items_.push_back(item);
    try {
      items.push_back(evaluate(*node.each, scope));
    } catch (...) {
      splat_items_.pop_back();
      throw;
    }
    splat_items_.pop_back();
  }
  if (source.kind() != Kind::list && source.kind() != Kind::set) return Value::tuple(std::move(items));
  const Type element = items.empty() ? Type() : items.front().type();
  return Value::list(element, std::move(items));
}

bool Evaluator::condition(const Expression& expression, const Scope* scope, std::string_view what) {
  const Value value = evaluate(expression, scope);
  if (value.is_null()) fail(expression.place, fmt::format("{} is null; expected true or false", what));
  try {
    return convert(value, Type::boolean()).boolean();
  } catch (const ValueError& error) {
    fail(expression.place, fmt::format("{}: {}", what, error.what()));
  }
}

Value Evaluator::conditional(const Expression& expression, const Conditional& node, const Scope* scope) {
  const bool is_true = condition(*node.condition, scope, "a condition");
  const Value result = evaluate(is_true ? *node.if_true : *node.if_false, scope);
  // Both results are of one type. The other one is evaluated for that alone, and what is wrong with it says nothing.
  Value other;
  try {
    other = evaluate(is_true ? *node.if_false : *node.if_true, scope);
  } catch (const Error&) {
    charge(kFailureSteps, expression.place);
    return result;
  }
  if (other.kind() == Kind::dynamic) return result;
  if (result.kind() == Kind::dynamic) return Value::null(other.type());
  charge(result.is_sequence() || result.is_mapping() ? result.weight() + other.weight() : 0, expression.place);
  const Type type = result.type(), other_type = other.type();
  if (type == other_type) return result;
  const auto common = unify({is_true ? type : other_type, is_true ? other_type : type}, true);
  if (!common) {
    fail(expression.place, fmt::format("the two results of a condition are of different types, {} and {}",
                                       (is_true ? type : other_type).name(), (is_true ? other_type : type).name()));
  }
  return convert(result, *common);
}

Value Evaluator::logical(const Operation& node, const Scope* scope) {
  const bool decides = node.op == Operator::logical_or;
  std::optional<Error> left_error;
  try {
    if (condition(*node.left, scope, "an operand") == decides) return Value::of(decides);
  } catch (const Error& error) {
    left_error = error;
  }
  // As HCL has it, either side alone may decide.
  const bool right = condition(*node.right, scope, "an operand");
  if (right != decides && left_error) throw Error(*left_error);
  return Value::of(right);
}

Value Evaluator::operation(const Expression& expression, const Operation& node, const Scope* scope) {
  if (node.op == Operator::logical_or || node.op == Operator::logical_and) return logical(node, scope);
  if (node.op == Operator::logical_not) return Value::of(!condition(*node.left, scope, "the operand of '!'"));
  const Value left = evaluate(*node.left, scope);
  if (node.op == Operator::equal || node.op == Operator::not_equal) {
    const Value right = evaluate(*node.right, scope);
    charge(std::min(left.weight(), right.weight()), expression.place);
    const bool are_equal = left == right;
    return Value::of(are_equal == (node.op == Operator::equal));
  }
  const auto number = [&](const Value& value, const Expression& operand) {
    if (value.is_null()) fail(operand.place, "an operand is null; expected a number");
    try {
      return convert(value, Type::number()).number();
    } catch (const ValueError& error) {
      fail(operand.place, fmt::format("an operand of arithmetic: {}", error.what()));
    }
  };
  const Number a = number(left, *node.left);
  if (node.op == Operator::negate) return Value::of(a.negated());
  const Number b = number(evaluate(*node.right, scope), *node.right);
  // Numbers have 155 digits, which a quotient mostly fills.
  const bool divides = node.op == Operator::divide || node.op == Operator::modulo;
  charge(divides ? kDivisionSteps : node.op == Operator::multiply ? kMultiplicationSteps : 10, expression.place);
  switch (node.op) {
    case Operator::greater:
      return Value::of(b < a);
    case Operator::greater_or_equal:
      return Value::of(!(a < b));
    case Operator::less:
      return Value::of(a < b);
    case Operator::less_or_equal:
      return Value::of(!(b < a));
    case Operator::add:
      return Value::of(a + b);
    case Operator::subtract:
      return Value::of(a - b);
    case Operator::multiply:
      return Value::of(a * b);
    default:
      if (b.is_zero()) fail(expression.place, "a division by zero");
      return Value::of(node.op == Operator::divide ? a / b : a % b);
  }
}

Value Evaluator::for_value(const For& node, const Scope* scope) {
  const Value collection = evaluate(*node.collection, scope);
  if (!collection.is_sequence() && !collection.is_mapping()) {
    fail(node.collection->place, fmt::format("'for' cannot go through a value of type {}", kind_name(collection)));
  }
  Value::Items items;
  std::map<std::string, Value::Items> members;
  Scope inner{scope, {}, false};
  const auto take = [&](Value key, Value value) {
    if (!node.key_name.empty()) inner.values[node.key_name] = std::move(key);
    inner.values[node.value_name] = std::move(value);
    if (node.condition && !condition(*node.condition, &inner, "the condition of 'for'")) return;
    if (!node.key) {
      items.push_back(evaluate(*node.value, &inner));
      return;
    }
    const Value name = evaluate_as(*node.key, Type::string(), &inner);
    if (name.is_null()) fail(node.key->place, "null is no key");
    Value::Items& values = members[name.text()];
    if (!values.empty() && !node.groups) {
      fail(node.key->place,
           fmt::format("the key '{}' comes twice; 'VALUE...' makes a list of all", printable(name.text())));
    }
    values.push_back(evaluate(*node.value, &inner));
  };
  if (collection.is_mapping()) {
    for (const auto& [name, member] : collection.members()) take(Value::of(name), member);
  } else {
    for (std::size_t i = 0; i < collection.size(); ++i) {
      const Value& item = collection.items()[i];
      take(collection.kind() == Kind::set ? item : Value::of(static_cast<std::int64_t>(i)), item);
    }
  }
  if (!node.key) return Value::tuple(std::move(items));
  Value::Members result;
  for (auto& [name, values] : members) {
    result.emplace(name, node.groups ? Value::tuple(std::move(values)) : std::move(values.front()));
  }
  return Value::object(std::move(result));
}

Value Evaluator::object(const Object& node, const Scope* scope) {
  Value::Members members;
  for (const Object::Item& item : node.items) {
    const Value key = evaluate(*item.key, scope);
    if (key.is_null()) fail(item.key->place, "null is no key");
    std::string name;
    try {
      name = convert(key, Type::string()).text();
    } catch (const ValueError& error) {
      fail(item.key->place, fmt::format("a key: {}", error.what()));
    }
    if (node.refuses_duplicates && members.contains(name)) {
      fail(item.key->place, fmt::format("the key '{}' is there twice", printable(name)));
    }
    members[name] = evaluate(*item.value, scope);
  }
  return Value::object(std::move(members));
}

std::vector<std::pair<Value, Place>> Evaluator::arguments(const Expression& expression, const Call& node,
                                                          const Scope* scope) {
  std::vector<std::pair<Value, Place>> result;
  result.reserve(node.arguments.size());
  for (std::size_t i = 0; i < node.arguments.size(); ++i) {
    const Expression& argument = *node.arguments[i];
    Value value = evaluate(argument, scope);
    if (!node.expands_last || i + 1 < node.arguments.size()) {
      result.emplace_back(std::move(value), argument.place);
      continue;
    }
    if (!value.is_sequence()) {
      fail(argument.place, fmt::format("'...' needs a list, got {}", kind_name(value)));
    }
    charge(value.size(), expression.place);
    for (const Value& item : value.items()) result.emplace_back(item, argument.place);
  }
  return result;
}

Value Evaluator::call(const Expression& expression, const Call& node, const Scope* scope) {
  if (node.name == "try" || node.name == "can" || node.name == "convert") return call_special(expression, node, scope);
  const Function* function = find_function(node.name);
  if (function == nullptr) {
    if (const UserFunction* user = names_.function(node.name)) return call_user(expression, node, *user, scope);
    std::vector<std::string> known = function_names();
    for (std::string& name : names_.function_names()) known.push_back(std::move(name));
    fail(expression.place, fmt::format("unknown function '{}'{}", printable(node.name), near_hint(node.name, known)));
  }
  auto given = arguments(expression, node, scope);
  const std::size_t count = function->parameters.size();
  if (given.size() < count || (given.size() > count && !function->rest)) {
    fail(expression.place, fmt::format("'{}' takes {}{}, got {}", node.name, function->rest ? "at least " : "",
                                       count_of(count, "argument"), given.size()));
  }
  std::vector<Value> values;
  values.reserve(given.size());
  for (std::size_t i = 0; i < given.size(); ++i) {
    const Parameter& parameter = i < count ? function->parameters[i] : *function->rest;
    if (given[i].first.is_null() && !parameter.allows_null) {
      fail(given[i].second, fmt::format("'{}' of '{}' must not be null", parameter.name, node.name));
    }
    charge(given[i].first.weight(), given[i].second);
    try {
      values.push_back(convert(given[i].first, parameter.type));
    } catch (const ValueError& error) {
      fail(given[i].second, fmt::format("'{}' of '{}': {}", parameter.name, node.name, error.what()));
    }
  }
  try {
    if (function->cost) charge(function->cost(values), expression.place);
    Value result = function->call(values);
    if (result.is(Kind::string)) charge_bytes(result.text().size(), expression.place);
    if (result.is_sequence() || result.is_mapping()) charge(result.weight(), expression.place);
    return result;
  } catch (const ValueError& error) {
    fail(expression.place, fmt::format("{}(): {}", node.name, error.what()));
  }
}

Value Evaluator::call_user(const Expression& expression, const Call& node, const UserFunction& function,
                           const Scope* scope) {
  auto given = arguments(expression, node, scope);
  const std::size_t count = function.parameters.size();
  if (given.size() < count || (given.size() > count && function.rest.empty())) {
    fail(expression.place, fmt::format("'{}' takes {}{}, got {}", node.name, function.rest.empty() ? "" : "at least ",
                                       count_of(count, "argument"), given.size()));
  }
  Scope inner{nullptr, {}, true};
  Value::Items rest;
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (given[i].first.is_null()) {
      fail(given[i].second, fmt::format("an argument of '{}' must not be null", printable(node.name)));
    }
    if (i < count) {
      inner.values[function.parameters[i]] = std::move(given[i].first);
    } else {
      rest.push_back(std::move(given[i].first));
    }
  }
  if (!function.rest.empty()) inner.values[function.rest] = Value::tuple(std::move(rest));
  if (std::find(active_functions_.begin(), active_functions_.end(), &function) != active_functions_.end()) {
    fail(expression.place, fmt::format("the function '{}' leads back to itself", printable(node.name)));
  }
  active_functions_.push_back(&function);
  try {
    Value result = evaluate(*function.result, &inner);
    active_functions_.pop_back();
    return result;
  } catch (...) {
    active_functions_.pop_back();
    throw;
  }
}

// The functions that take expressions rather than values.
Value Evaluator::call_special(const Expression& expression, const Call& node, const Scope* scope) {
  const auto needs = [&](std::size_t count) {
    if (node.arguments.size() != count || node.expands_last) {
      fail(expression.place, fmt::format("'{}' takes {}", node.name, count_of(count, "argument")));
    }
  };
  if (node.name == "convert") {
    needs(2);
    const Type type = parse_type(node.arguments[1]);
    return evaluate_as(*node.arguments[0], type, scope);
  }
  if (node.name == "can") {
    needs(1);
    try {
      evaluate(*node.arguments[0], scope);
      return Value::of(true);
    } catch (const Error&) {
      charge(kFailureSteps, expression.place);
      return Value::of(false);
    }
  }
  std::string reasons;
  for (const ExpressionPtr& argument : node.arguments) {
    try {
      return evaluate(*argument, scope);
    } catch (const Error& error) {
      charge(kFailureSteps, expression.place);
      reasons += fmt::format("{}{}", reasons.empty() ? "" : "; ", error.message());
    }
  }
  fail(expression.place, node.arguments.empty() ? "'try' takes at least one argument"
                                                : fmt::format("no argument of 'try' could be evaluated: {}", reasons));
}

}  // namespace kiln::hcl
