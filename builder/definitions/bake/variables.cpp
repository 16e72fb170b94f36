#include "builder/definitions/bake/variables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/csv.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/definitions/bake/entries.hpp"
#include "builder/definitions/hcl/convert.hpp"
#include "builder/definitions/hcl/json_reader.hpp"

namespace kiln::bake {

namespace {

using hcl::Type;
using hcl::Value;
using hcl::ValueError;

// "1_000" is "1000" where each underscore is between digits; else it stays.
std::string without_underscores(const std::string& text) {
  std::string result;
  const auto is_digit = [&](std::size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '9'; };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool parts_digits = text[i] == '_' && i > 0 && is_digit(i - 1) && is_digit(i + 1);
    if (!parts_digits) result += text[i];
  }
  return result;
}

// A text from the command line or the environment as a primitive; bools and numbers as Go reads them.
Value primitive(const std::string& text, const Type& type) {
  if (type.kind() == Type::Kind::string) return Value::of(text);
  if (type.kind() == Type::Kind::number) {
    const auto number = hcl::Number::parse(without_underscores(text));
    if (!number) throw ValueError(fmt::format("'{}' is no number", printable(text)));
    return Value::of(*number);
  }
  if (type.kind() != Type::Kind::boolean) throw ValueError(fmt::format("a {} cannot be given as a text", type.name()));
  if (const auto flag = flag_of_text(text)) return Value::of(*flag);
  throw ValueError(fmt::format("'{}' is neither true nor false", printable(text)));
}

std::vector<std::string> given_fields(const std::string& text) {
  if (text.empty()) throw ValueError("it is empty, which is no list; give an empty one as JSON");
  try {
    return csv_fields(text, "a list");
  } catch (const Error& error) {
    throw ValueError(error.message());
  }
}

// "a,b,c" as a list, set or tuple, "k:v,k:v" as a map.
Value from_csv(const std::string& text, const Type& type) {
  const std::vector<std::string> fields = given_fields(text);
  if (type.kind() == Type::Kind::map) {
    Value::Members members;
    for (const std::string& field : fields) {
      const std::size_t colon = field.find(':');
      if (colon == std::string::npos) {
        throw ValueError(fmt::format("expected KEY:VALUE, got '{}'", printable(field)));
      }
      members[field.substr(0, colon)] = primitive(field.substr(colon + 1), type.element());
    }
    return Value::map(type.element(), std::move(members));
  }
  Value::Items items;
  if (type.kind() == Type::Kind::tuple && type.elements().size() != fields.size()) {
    throw ValueError(fmt::format("{} items are expected, got {}", type.elements().size(), fields.size()));
  }
  for (std::size_t i = 0; i < fields.size(); ++i) {
    items.push_back(primitive(fields[i], type.is_collection() ? type.element() : type.elements()[i]));
  }
  if (type.kind() == Type::Kind::list) return Value::list(type.element(), std::move(items));
  if (type.kind() == Type::Kind::set) return Value::set(type.element(), std::move(items));
  return Value::tuple(std::move(items));
}

// A type as cty writes one in JSON: "string", ["list", "string"], ["object", {"a": "number"}]. nullopt for what is
// none.
std::optional<Type> type_of_json(const Value& json) {
  if (json.is(Type::Kind::string)) {
    for (const Type& type : {Type::string(), Type::number(), Type::boolean()}) {
      if (json.text() == type.name()) return type;
    }
    return json.text() == "dynamic" ? std::optional(Type()) : std::nullopt;
  }
  if (!json.is_sequence() || json.items().size() != 2 || !json.items()[0].is(Type::Kind::string)) return std::nullopt;
  const std::string& word = json.items()[0].text();
  const Value& inner = json.items()[1];
  if (word == "tuple" && inner.is_sequence()) {
    std::vector<Type> elements;
    for (const Value& item : inner.items()) {
      const auto element = type_of_json(item);
      if (!element) return std::nullopt;
      elements.push_back(*element);
    }
    return Type::tuple(std::move(elements));
  }
  if (word == "object" && inner.is_mapping()) {
    std::map<std::string, Type> attributes;
    for (const auto& [name, member] : inner.members()) {
      const auto attribute = type_of_json(member);
      if (!attribute) return std::nullopt;
      attributes.emplace(name, *attribute);
    }
    return Type::object(std::move(attributes));
  }
  const auto element = type_of_json(inner);
  if (!element) return std::nullopt;
  if (word == "list") return Type::list(*element);
  if (word == "set") return Type::set(*element);
  return word == "map" ? std::optional(Type::map(*element)) : std::nullopt;
}

// A value of the type `any` says its type beside it, {"type": ..., "value": ...}; what does not is taken as it is.
Value value_of_any(const Value& json) {
  if (!json.is_mapping() || json.size() != 2) return json;
  const auto type = json.members().find("type"), value = json.members().find("value");
  if (type == json.members().end() || value == json.members().end()) return json;
  const auto known = type_of_json(type->second);
  return known ? hcl::convert(value->second, *known) : json;
}

// What NAME_JSON says as a value of the declared type, as cty reads it: an attribute that is not said is null, optional
// or not, and one that the type has not is a mistake.
Value value_of_json(const Value& json, const Type& type) {
  if (type.is_dynamic()) return value_of_any(json);
  if (json.is_null()) return Value::null(type.without_optional());
  const auto in_part = [&](std::size_t number, const Value& item) {
    if (type.is_collection()) return value_of_json(item, type.element());
    return number < type.elements().size() ? value_of_json(item, type.elements()[number]) : item;
  };
  if (type.kind() == Type::Kind::object && json.is_mapping()) {
    std::vector<std::string> known;
    for (const auto& attribute : type.attributes()) known.push_back(attribute.first);
    for (const auto& [name, member] : json.members()) {
      if (type.attributes().contains(name)) continue;
      throw ValueError(fmt::format("its type has no attribute '{}'{}", printable(name), suggestion(name, known)));
    }
    Value::Members members;
    for (const auto& [name, wanted] : type.attributes()) {
      const auto said = json.members().find(name);
      members.emplace(name, said == json.members().end() ? Value::null(wanted.without_optional())
                                                         : value_of_json(said->second, wanted));
    }
    return Value::object(std::move(members));
  }
  if (type.kind() == Type::Kind::map && json.is_mapping()) {
    Value::Members members;
    for (const auto& [name, member] : json.members()) members.emplace(name, in_part(0, member));
    return hcl::convert(Value::object(std::move(members)), type);
  }
  const bool is_listed = type.kind() != Type::Kind::map && (type.is_collection() || type.kind() == Type::Kind::tuple);
  if (is_listed && json.is_sequence()) {
    Value::Items items;
    for (const Value& item : json.items()) items.push_back(in_part(items.size(), item));
    return hcl::convert(Value::tuple(std::move(items)), type);
  }
  return hcl::convert(json, type);
}

bool is_csv_type(const Type& type) { return type.is_collection() || type.kind() == Type::Kind::tuple; }

// As `--list variables` shows a value; nullopt for null.
std::optional<std::string> shown(const Value& value) {
  if (value.is_null()) return std::nullopt;
  if (value.is(Type::Kind::string)) return value.text();
  return hcl::to_json_text(value);
}

std::string text_attribute(const hcl::Body& body, const std::string& name, hcl::Evaluator& evaluator) {
  const hcl::NamedExpression* attribute = body.find(name);
  if (attribute == nullptr) return "";
  const Value value = evaluator.evaluate_as(*attribute->value, Type::string());
  return value.is_null() ? "" : value.text();
}

}  // namespace

void refuse_unknown(const hcl::Body& body, std::string_view type, const std::vector<std::string>& known) {
  const auto refuse = [&](const hcl::Place& place, const std::string& name) {
    if (std::find(known.begin(), known.end(), name) != known.end()) return;
    hcl::fail(place, fmt::format("a {} has no '{}'{}", type, printable(name), suggestion(name, known)));
  };
  for (const hcl::NamedExpression& said : body.attributes) {
    if (!body.is_json || said.name != "//") refuse(said.place, said.name);
  }
  for (const hcl::Block& nested : body.blocks) refuse(nested.place, nested.type);
}

void Variables::declare(const hcl::Block& block) {
  variables_.insert_or_assign(block.labels.front(), Variable{block, std::nullopt});
}

void Variables::define(const hcl::NamedExpression& attribute) {
  attributes_.insert_or_assign(attribute.name, attribute);
}

std::vector<std::string> Variables::names() const {
  std::set<std::string> result;
  for (const auto& [name, variable] : variables_) result.insert(name);
  for (const auto& [name, attribute] : attributes_) result.insert(name);
  for (const auto& [name, value] : options_.built_in) result.insert(name);
  return {result.begin(), result.end()};
}

std::optional<Value> Variables::find(const std::string& name) {
  if (const auto known = values_.find(name); known != values_.end()) return known->second;
  if (const auto built_in = options_.built_in.find(name); built_in != options_.built_in.end()) {
    return Value::of(built_in->second);
  }
  const auto attribute = attributes_.find(name);
  const auto variable = variables_.find(name);
  if (attribute == attributes_.end() && variable == variables_.end()) return std::nullopt;
  if (!in_progress_.insert(name).second) {
    const hcl::Place place = attribute != attributes_.end() ? attribute->second.place : variable->second.block.place;
    hcl::fail(place, fmt::format("the value of '{}' leads back to it", printable(name)));
  }
  Value value = evaluate(name, attribute == attributes_.end() ? nullptr : &attribute->second,
                         variable == variables_.end() ? nullptr : &variable->second);
  in_progress_.erase(name);
  return values_.emplace(name, std::move(value)).first->second;
}

Value Variables::evaluate(const std::string& name, const hcl::NamedExpression* attribute, Variable* variable) {
  if (attribute != nullptr) {
    const Value value = evaluator_.evaluate(*attribute->value);
    return variable == nullptr ? value : with_given(name, *variable, true, value);
  }
  const hcl::Body& body = *variable->block.body;
  if (const auto* type = body.find("type"); type != nullptr && hcl::keyword_of(*type->value) != "null") {
    variable->type = hcl::parse_type(type->value);
  }
  const hcl::NamedExpression* default_value = body.find("default");
  if (default_value == nullptr) return with_given(name, *variable, false, Value());
  const Value value = evaluator_.evaluate_as(*default_value->value, variable->type.value_or(Type()));
  return with_given(name, *variable, true, value);
}

std::optional<std::string> Variables::json_given(const std::string& name) const {
  const std::string json_name = name + "_JSON";
  if (variables_.contains(json_name) || options_.built_in.contains(json_name)) return std::nullopt;
  return options_.given(json_name);
}

// What --var or the environment says, in the type that is declared or that the default has.
Value Variables::with_given(const std::string& name, const Variable& variable, bool has_default,
                            const Value& default_value) {
  const std::optional<Type>& type = variable.type;
  auto given = options_.given(name);
  const auto json = type || !given ? json_given(name) : std::nullopt;
  if (!given && !(json && type)) {
    if (json) {
      given = json;
    } else if (has_default) {
      return default_value;
    } else {
      return type ? Value::null(type->without_optional()) : Value::of("");
    }
  }
  try {
    if (type && json) return value_of_json(hcl::json_value(hcl::Source(name + "_JSON", *json)), *type);
    if (type && is_csv_type(*type)) return from_csv(*given, *type);
    if (type) {
      if (!type->is_primitive())
        throw ValueError(fmt::format("a value of the type '{}' is given as {}_JSON", type->expression(), name));
      return primitive(*given, *type);
    }
    if (!has_default || default_value.is_null()) return Value::of(*given);
    return primitive(*given, default_value.type());
  } catch (const ValueError& error) {
    hcl::fail(variable.block.place, fmt::format("the given value of '{}': {}", printable(name), error.what()));
  }
}

std::vector<BakeVariable> Variables::check_all() {
  std::vector<BakeVariable> result;
  for (auto& [name, variable] : variables_) {
    const Value value = *find(name);
    evaluator_.charge_result(value, variable.block.place);
    BakeVariable shown_variable{name, "", shown(value),
                                text_attribute(*variable.block.body, "description", evaluator_)};
    if (variable.type) shown_variable.type = variable.type->is_dynamic() ? "any" : variable.type->name();
    result.push_back(std::move(shown_variable));
  }
  if (!options_.checks_values) return result;
  for (const auto& [name, variable] : variables_) validate(variable);
  return result;
}

void Variables::check_attributes() {
  for (const auto& [name, attribute] : attributes_) find(name);
}

void Variables::validate(const Variable& variable) {
  for (const hcl::Block& rule : variable.block.body->blocks_of("validation", 0)) {
    refuse_unknown(*rule.body, "validation", {"condition", "error_message"});
    const hcl::NamedExpression* condition = rule.body->find("condition");
    const hcl::NamedExpression* message = rule.body->find("error_message");
    if (condition == nullptr || message == nullptr) {
      hcl::fail(rule.place, "a validation needs a 'condition' and an 'error_message'");
    }
    const Value holds = evaluator_.evaluate_as(*condition->value, Type::boolean());
    if (holds.is_null()) hcl::fail(condition->value->place, "the condition is null; expected true or false");
    if (holds.boolean()) continue;
    const Value text = evaluator_.evaluate_as(*message->value, Type::string());
    hcl::fail(condition->value->place,
              fmt::format("the value of '{}' is not valid: {}", printable(variable.block.labels.front()),
                          text.is_null() ? "its condition does not hold" : printable(text.text())));
  }
}

}  // namespace kiln::bake
