#include "builder/definitions/hcl/convert.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"

namespace kiln::hcl {

namespace {

using Kind = Type::Kind;

bool is_sequence(Kind kind) { return kind == Kind::list || kind == Kind::set || kind == Kind::tuple; }
bool is_mapping(Kind kind) { return kind == Kind::map || kind == Kind::object; }

[[noreturn]] void mismatch(const Value& value, const Type& type) {
  const std::string article = type.kind() == Kind::object ? "an" : "a";
  throw ValueError(fmt::format("{} {} is required, got {}", article, type.name(), value.type().name()));
}

// What a step into a value adds to the message about what is in it.
// `name` is what a message calls the part, and is asked for a message alone.
template <class Name>
Value convert_part(const Value& part, const Type& type, Name&& name) {
  try {
    return convert(part, type);
  } catch (const ValueError& error) {
    throw ValueError(fmt::format("{}: {}", name(), error.what()));
  }
}

Value convert_item(const Value& list, std::size_t number, const Type& type) {
  return convert_part(list.items()[number], type, [&] { return fmt::format("item {}", number); });
}

Value convert_member(const std::string& name, const Value& member, const Type& type) {
  return convert_part(member, type, [&] { return fmt::format("'{}'", printable(name)); });
}

Value to_primitive(const Value& value, const Type& type) {
  if (value.kind() == type.kind()) return value;
  if (type.kind() == Kind::string) {
    if (value.is(Kind::number)) return Value::of(value.number().text());
    if (value.is(Kind::boolean)) return Value::of(value.boolean() ? "true" : "false");
  } else if (value.is(Kind::string)) {
    if (type.kind() == Kind::number) {
      if (const auto number = Number::parse(value.text())) return Value::of(*number);
      throw ValueError("a number is required");
    }
    if (value.text() == "true" || value.text() == "1") return Value::of(true);
    if (value.text() == "false" || value.text() == "0") return Value::of(false);
    throw ValueError("a bool is required: true or false");
  }
  mismatch(value, type);
}

Type element_type(const Value& value, const Type& wanted, std::string_view what) {
  if (!wanted.is_dynamic()) return wanted;
  if (value.type().is_collection()) return value.type().element();
  std::vector<Type> types;
  if (value.is_sequence()) {
    for (const Value& item : value.items()) types.push_back(item.type());
  } else {
    for (const auto& [name, member] : value.members()) types.push_back(member.type());
  }
  if (types.empty()) return Type();
  const auto common = unify(types, true);
  if (!common) throw ValueError(fmt::format("all {} elements must have the same type", what));
  return *common;
}

Value to_sequence(const Value& value, const Type& type) {
  if (!is_sequence(value.kind())) mismatch(value, type);
  const Type element = element_type(value, type.element(), type.kind() == Kind::set ? "set" : "list");
  Value::Items items;
  items.reserve(value.size());
  for (std::size_t i = 0; i < value.size(); ++i) {
    items.push_back(convert_item(value, i, element));
  }
  const Type plain = element.without_optional();
  return type.kind() == Kind::set ? Value::set(plain, std::move(items)) : Value::list(plain, std::move(items));
}

Value to_map(const Value& value, const Type& type) {
  if (!is_mapping(value.kind())) mismatch(value, type);
  const Type element = element_type(value, type.element(), "map");
  Value::Members members;
  for (const auto& [name, member] : value.members()) {
    members.emplace_hint(members.end(), name, convert_member(name, member, element));
  }
  return Value::map(element.without_optional(), std::move(members));
}

Value to_object(const Value& value, const Type& type) {
  if (!is_mapping(value.kind())) mismatch(value, type);
  Value::Members members;
  for (const auto& [name, wanted] : type.attributes()) {
    const auto member = value.members().find(name);
    if (member != value.members().end()) {
      members.emplace_hint(members.end(), name, convert_member(name, member->second, wanted));
    } else if (type.is_optional(name)) {
      members.emplace(name, Value::null(wanted.without_optional()));
    } else {
      throw ValueError(fmt::format("the attribute '{}' is required", printable(name)));
    }
  }
  return Value::object(std::move(members));
}

Value to_tuple(const Value& value, const Type& type) {
  if (value.kind() != Kind::tuple) mismatch(value, type);
  if (value.size() != type.elements().size()) {
    throw ValueError(fmt::format("{} items are required, got {}", type.elements().size(), value.size()));
  }
  Value::Items items;
  items.reserve(value.size());
  for (std::size_t i = 0; i < value.size(); ++i) {
    items.push_back(convert_item(value, i, type.elements()[i]));
  }
  return Value::tuple(std::move(items));
}

std::vector<Type> parts_of(const Type& type) {
  if (type.kind() == Kind::tuple) return type.elements();
  std::vector<Type> result;
  for (const auto& [name, part] : type.attributes()) result.push_back(part);
  return result;
}

std::optional<Type> unify_as_collection(Kind kind, const std::vector<Type>& types, bool is_unsafe) {
  std::vector<Type> parts;
  for (const Type& type : types) {
    if (type.is_collection()) {
      parts.push_back(type.element());
    } else {
      for (Type& part : parts_of(type)) parts.push_back(std::move(part));
    }
  }
  if (parts.empty()) return Type::collection(kind, Type());
  const auto element = unify(parts, is_unsafe);
  if (!element) return std::nullopt;
  return Type::collection(kind, *element);
}

std::optional<Type> unify_objects(const std::vector<Type>& types, bool is_unsafe) {
  const auto& first = types.front().attributes();
  for (const Type& type : types) {
    const auto has_same_names = [&](const auto& a, const auto& b) { return a.first == b.first; };
    if (!std::equal(first.begin(), first.end(), type.attributes().begin(), type.attributes().end(), has_same_names)) {
      return unify_as_collection(Kind::map, types, is_unsafe);
    }
  }
  std::map<std::string, Type> result;
  for (const auto& [name, ignored] : first) {
    std::vector<Type> across;
    for (const Type& type : types) across.push_back(type.attributes().at(name));
    const auto common = unify(across, is_unsafe);
    if (!common) return std::nullopt;
    result.emplace(name, *common);
  }
  return Type::object(std::move(result));
}

std::optional<Type> unify_tuples(const std::vector<Type>& types, bool is_unsafe) {
  const std::size_t count = types.front().elements().size();
  for (const Type& type : types) {
    if (type.elements().size() != count) return unify_as_collection(Kind::list, types, is_unsafe);
  }
  std::vector<Type> result;
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<Type> across;
    for (const Type& type : types) across.push_back(type.elements()[i]);
    const auto common = unify(across, is_unsafe);
    if (!common) return std::nullopt;
    result.push_back(*common);
  }
  return Type::tuple(std::move(result));
}

}  // namespace

Value convert(const Value& value, const Type& type) {
  if (type.is_dynamic()) return value;
  if (value.is_null()) {
    if (value.kind() != Kind::dynamic && !can_convert(value.type(), type, true)) mismatch(value, type);
    return Value::null(type.without_optional());
  }
  switch (type.kind()) {
    case Kind::list:
    case Kind::set:
      return to_sequence(value, type);
    case Kind::map:
      return to_map(value, type);
    case Kind::object:
      return to_object(value, type);
    case Kind::tuple:
      return to_tuple(value, type);
    default:
      return to_primitive(value, type);
  }
}

bool can_convert(const Type& from, const Type& to, bool is_unsafe) {
  if (to.is_dynamic() || from == to) return true;
  if (from.is_dynamic()) return is_unsafe;
  if (from.is_primitive() && to.is_primitive()) {
    return to.kind() == Kind::string || (is_unsafe && from.kind() == Kind::string);
  }
  if ((to.kind() == Kind::list || to.kind() == Kind::set) && is_sequence(from.kind())) {
    if (from.kind() == Kind::list && to.kind() == Kind::set && !is_unsafe) return false;
    const auto parts = from.is_collection() ? std::vector<Type>{from.element()} : from.elements();
    if (to.element().is_dynamic()) return parts.empty() || unify(parts, is_unsafe).has_value();
    return std::all_of(parts.begin(), parts.end(),
                       [&](const Type& part) { return can_convert(part, to.element(), is_unsafe); });
  }
  if (to.kind() == Kind::map && is_mapping(from.kind())) {
    const auto parts = from.is_collection() ? std::vector<Type>{from.element()} : parts_of(from);
    if (to.element().is_dynamic()) return parts.empty() || unify(parts, is_unsafe).has_value();
    return std::all_of(parts.begin(), parts.end(),
                       [&](const Type& part) { return can_convert(part, to.element(), is_unsafe); });
  }
  if (to.kind() == Kind::object && from.kind() == Kind::map) {
    return is_unsafe && std::all_of(to.attributes().begin(), to.attributes().end(), [&](const auto& attribute) {
             return can_convert(from.element(), attribute.second, true);
           });
  }
  if (to.kind() == Kind::object && from.kind() == Kind::object) {
    return std::all_of(to.attributes().begin(), to.attributes().end(), [&](const auto& attribute) {
      const auto part = from.attributes().find(attribute.first);
      if (part == from.attributes().end()) return to.is_optional(attribute.first);
      return can_convert(part->second, attribute.second, is_unsafe);
    });
  }
  if (to.kind() == Kind::tuple && from.kind() == Kind::tuple) {
    return std::equal(from.elements().begin(), from.elements().end(), to.elements().begin(), to.elements().end(),
                      [&](const Type& a, const Type& b) { return can_convert(a, b, is_unsafe); });
  }
  return false;
}

std::optional<Type> unify(const std::vector<Type>& given, bool is_unsafe) {
  // A null of no type fits everywhere.
  std::vector<Type> types;
  std::copy_if(given.begin(), given.end(), std::back_inserter(types), [](const Type& t) { return !t.is_dynamic(); });
  if (types.empty()) return Type();
  if (std::all_of(types.begin(), types.end(), [&](const Type& type) { return type == types.front(); })) {
    return types.front();
  }
  const auto count = [&](Kind kind) {
    return static_cast<std::size_t>(
        std::count_if(types.begin(), types.end(), [&](const Type& type) { return type.kind() == kind; }));
  };
  if (count(Kind::map) + count(Kind::object) == types.size()) {
    return count(Kind::map) > 0 ? unify_as_collection(Kind::map, types, is_unsafe) : unify_objects(types, is_unsafe);
  }
  if (count(Kind::set) == types.size()) return unify_as_collection(Kind::set, types, is_unsafe);
  if (count(Kind::list) + count(Kind::tuple) == types.size()) {
    return count(Kind::list) > 0 ? unify_as_collection(Kind::list, types, is_unsafe) : unify_tuples(types, is_unsafe);
  }
  // The most general first: what the others can become without a loss.
  for (const bool is_last_resort : {false, true}) {
    if (is_last_resort && !is_unsafe) break;
    for (const Type& wanted : types) {
      if (std::all_of(types.begin(), types.end(),
                      [&](const Type& type) { return can_convert(type, wanted, is_last_resort); })) {
        return wanted;
      }
    }
  }
  return std::nullopt;
}

namespace {

Type parse_object_type(const ExpressionPtr& argument) {
  const auto* object = std::get_if<Object>(&argument->node);
  if (object == nullptr) fail(argument->place, "expected 'object({NAME = TYPE, ...})'");
  std::map<std::string, Type> attributes;
  std::set<std::string> optional;
  for (const Object::Item& item : object->items) {
    // Both syntaxes have read a bare word by then.
    const auto* written_name = std::get_if<Literal>(&item.key->node);
    const auto name = written_name != nullptr && written_name->value.is(Kind::string)
                          ? std::optional(written_name->value.text())
                          : keyword_of(*item.key);
    if (!name) fail(item.key->place, "expected an attribute's name");
    ExpressionPtr type = spelled_expression(item.value);
    if (const auto* call = std::get_if<Call>(&type->node); call != nullptr && call->name == "optional") {
      if (call->arguments.size() != 1) fail(type->place, "expected 'optional(TYPE)'");
      optional.insert(*name);
      type = call->arguments.front();
    }
    if (!attributes.emplace(*name, parse_type(type)).second) {
      fail(item.key->place, fmt::format("the attribute '{}' is there twice", printable(*name)));
    }
  }
  return Type::object(std::move(attributes), std::move(optional));
}

}  // namespace

Type parse_type(const ExpressionPtr& written) {
  const ExpressionPtr expression = spelled_expression(written);
  static const std::vector<std::string> kKnown = {"any", "bool",   "list",   "map",  "number",
                                                  "set", "string", "object", "tuple"};
  if (const auto* call = std::get_if<Call>(&expression->node)) {
    if (std::find(kKnown.begin(), kKnown.end(), call->name) == kKnown.end()) {
      fail(expression->place,
           fmt::format("unknown type '{}'{}", printable(call->name), suggestion(call->name, kKnown)));
    }
    if (call->arguments.size() != 1 || call->name == "any" || call->name == "bool" || call->name == "number" ||
        call->name == "string") {
      fail(expression->place,
           fmt::format("the type '{}' is not written with {} arguments", call->name, call->arguments.size()));
    }
    const ExpressionPtr& argument = call->arguments.front();
    if (call->name == "list") return Type::list(parse_type(argument));
    if (call->name == "set") return Type::set(parse_type(argument));
    if (call->name == "map") return Type::map(parse_type(argument));
    if (call->name == "object") return parse_object_type(argument);
    const auto* tuple = std::get_if<Tuple>(&argument->node);
    if (tuple == nullptr) fail(argument->place, "expected 'tuple([TYPE, ...])'");
    std::vector<Type> types;
    for (const ExpressionPtr& item : tuple->items) types.push_back(parse_type(item));
    return Type::tuple(std::move(types));
  }
  const auto word = keyword_of(*expression);
  if (word == "string") return Type::string();
  if (word == "number") return Type::number();
  if (word == "bool") return Type::boolean();
  if (word == "any") return Type();
  if (!word) fail(expression->place, "expected a type, such as string or list(string)");
  const bool needs_element = std::find(kKnown.begin(), kKnown.end(), *word) != kKnown.end();
  fail(expression->place, needs_element
                              ? fmt::format("the type '{}' needs what it holds, such as 'list(string)'", *word)
                              : fmt::format("unknown type '{}'{}", printable(*word), suggestion(*word, kKnown)));
}

namespace {

void append_escaped(std::string& into, unsigned char code) {
  if (code == '"' || code == '\\') {
    into += '\\';
    into += static_cast<char>(code);
  } else if (code == '\n') {
    into += "\\n";
  } else if (code == '\r') {
    into += "\\r";
  } else if (code == '\t') {
    into += "\\t";
  } else if (code == '\b') {
    into += "\\b";
  } else if (code == '\f') {
    into += "\\f";
  } else {
    into += fmt::format("\\u{:04x}", code);
  }
}

}  // namespace

void append_json_text(std::string& into, std::string_view text) {
  into += '"';
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at != end;) {
    const char* const begin = at;
    while (at != end && static_cast<unsigned char>(*at) >= 0x20 && *at != '"' && *at != '\\' && *at != '<' &&
           *at != '>' && *at != '&' && *at != '\xe2') {
      ++at;
    }
    into.append(begin, at);
    if (at == end) break;
    const std::string_view rest(at, static_cast<std::size_t>(end - at));
    if (rest.starts_with("\xe2\x80\xa8") || rest.starts_with("\xe2\x80\xa9")) {
      into += rest[2] == '\xa8' ? "\\u2028" : "\\u2029";
      at += 3;
    } else if (*at == '\xe2') {
      into += *at++;
    } else {
      append_escaped(into, static_cast<unsigned char>(*at++));
    }
  }
  into += '"';
}

void append_json(std::string& into, const Value& value) {
  if (value.is_null()) {
    into += "null";
  } else if (value.is(Kind::boolean)) {
    into += value.boolean() ? "true" : "false";
  } else if (value.is(Kind::number)) {
    into += value.number().text();
  } else if (value.is(Kind::string)) {
    append_json_text(into, value.text());
  } else if (value.is_sequence()) {
    const char* separator = "[";
    for (const Value& item : value.items()) {
      into += std::exchange(separator, ",");
      append_json(into, item);
    }
    into += value.size() == 0 ? "[]" : "]";
  } else {
    const char* separator = "{";
    for (const auto& [name, member] : value.members()) {
      into += std::exchange(separator, ",");
      append_json_text(into, name);
      into += ':';
      append_json(into, member);
    }
    into += value.size() == 0 ? "{}" : "}";
  }
}

std::string to_json_text(const Value& value) {
  std::string result;
  append_json(result, value);
  return result;
}

}  // namespace kiln::hcl
