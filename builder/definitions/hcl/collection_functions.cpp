#include <fmt/format.h>

#include <algorithm>

#include "builder/definitions/hcl/convert.hpp"
#include "builder/definitions/hcl/functions.hpp"

namespace kiln::hcl {

namespace {

using Kind = Type::Kind;
using Values = std::vector<Value>;

constexpr std::int64_t kMaxIndex = 1'000'000'000;
constexpr std::size_t kMaxItems = 100'000;

Parameter any(std::string_view name) { return {name, Type()}; }
Parameter nullable(std::string_view name) { return {name, Type(), true}; }
Parameter strings(std::string_view name) { return {name, Type::list(Type::string())}; }

[[noreturn]] void wrong_kind(const Value& value, std::string_view expected) {
  throw ValueError(fmt::format("expected {}, got {}", expected, value.is_null() ? "null" : value.type().name()));
}

const Values& list_items(const Value& value, std::string_view expected = "a list") {
  if (!value.is_sequence() || value.kind() == Kind::set) wrong_kind(value, expected);
  return value.items();
}

// Items in a list of the type that the given one has, or a tuple where it is one.
Value like(const Value& given, Values items) {
  if (given.kind() == Kind::tuple) return Value::tuple(std::move(items));
  return Value::list(given.type().element(), std::move(items));
}

Value concat(const Values& lists) {
  if (lists.empty()) throw ValueError("at least one list is required");
  Values items;
  bool are_all_lists = true;
  std::vector<Type> types;
  for (const Value& list : lists) {
    for (const Value& item : list_items(list, "lists")) items.push_back(item);
    are_all_lists = are_all_lists && list.kind() == Kind::list;
    types.push_back(list.type());
  }
  if (items.size() > kMaxItems) throw ValueError(fmt::format("more than {} items", kMaxItems));
  const auto common = are_all_lists ? unify(types, true) : std::nullopt;
  if (!common) return Value::tuple(std::move(items));
  for (Value& item : items) item = convert(item, common->element());
  return Value::list(common->element(), std::move(items));
}

void flatten_into(Values& into, const Value& value) {
  for (const Value& item : value.items()) {
    if (item.is_sequence()) {
      flatten_into(into, item);
    } else {
      into.push_back(item);
    }
    if (into.size() > kMaxItems) throw ValueError(fmt::format("more than {} items", kMaxItems));
  }
}

Value flatten(const Values& arguments) {
  if (!arguments[0].is_sequence()) wrong_kind(arguments[0], "a list");
  Values items;
  flatten_into(items, arguments[0]);
  return Value::tuple(std::move(items));
}

Value merge(const Values& maps) {
  Value::Members members;
  bool are_same = true;
  for (const Value& map : maps) {
    if (map.is_null()) {
      if (map.kind() != Kind::dynamic && map.kind() != Kind::map && map.kind() != Kind::object) {
        wrong_kind(map, "maps or objects");
      }
      continue;
    }
    if (!map.is_mapping()) wrong_kind(map, "maps or objects");
    for (const auto& [name, member] : map.members()) members[name] = member;
    are_same = are_same && map.type() == maps.front().type();
  }
  if (are_same && !maps.empty() && maps.front().is(Kind::map)) {
    return Value::map(maps.front().type().element(), std::move(members));
  }
  return Value::object(std::move(members));
}

Value lookup(const Values& arguments) {
  const Value& map = arguments[0];
  if (!map.is_mapping()) wrong_kind(map, "a map");
  const auto member = map.members().find(arguments[1].text());
  if (member != map.members().end()) return member->second;
  return map.kind() == Kind::map ? convert(arguments[2], map.type().element()) : arguments[2];
}

// The item that a key means; nullptr where there is none.
const Value* find_item(const Value& collection, const Value& key) {
  if (collection.is(Kind::map)) {
    if (key.kind() != Kind::string) wrong_kind(key, "a string as key");
    const auto member = collection.members().find(key.text());
    return member == collection.members().end() ? nullptr : &member->second;
  }
  const Values& items = list_items(collection, "a list or a map");
  if (key.kind() != Kind::number) wrong_kind(key, "a number as key");
  const auto position = key.number().to_int64();
  if (!position || *position < 0 || static_cast<std::size_t>(*position) >= items.size()) return nullptr;
  return &items[static_cast<std::size_t>(*position)];
}

Value element(const Values& arguments) {
  const Values& items = list_items(arguments[0]);
  const auto position = whole_number(arguments[1], "the index", -kMaxIndex, kMaxIndex);
  if (items.empty()) throw ValueError("the list is empty");
  const auto size = static_cast<std::int64_t>(items.size());
  return items[static_cast<std::size_t>(((position % size) + size) % size)];
}

Value slice(const Values& arguments) {
  const Values& items = list_items(arguments[0]);
  const auto size = static_cast<std::int64_t>(items.size());
  const auto begin = whole_number(arguments[1], "the start", 0, size);
  const auto end = whole_number(arguments[2], "the end", begin, size);
  return like(arguments[0], Values(items.begin() + begin, items.begin() + end));
}

Value chunklist(const Values& arguments) {
  const Values& items = arguments[0].items();
  const auto size = static_cast<std::size_t>(whole_number(arguments[1], "the size", 0, kMaxIndex));
  const Type type = arguments[0].type();
  if (items.empty()) return Value::list(type, {});
  if (size == 0) return Value::list(type, {arguments[0]});
  Values chunks;
  for (std::size_t at = 0; at < items.size(); at += size) {
    const auto begin = items.begin() + static_cast<std::ptrdiff_t>(at);
    const auto count = static_cast<std::ptrdiff_t>(std::min(size, items.size() - at));
    chunks.push_back(Value::list(type.element(), Values(begin, begin + count)));
  }
  return Value::list(type, std::move(chunks));
}

Value coalesce(const Values& arguments) {
  std::vector<Type> types;
  for (const Value& argument : arguments) types.push_back(argument.type());
  const auto common = unify(types, true);
  if (!common) throw ValueError("all arguments must have the same type");
  for (const Value& argument : arguments) {
    if (!argument.is_null()) return convert(argument, *common);
  }
  throw ValueError("all arguments are null");
}

Value coalescelist(const Values& arguments) {
  for (const Value& argument : arguments) {
    const bool is_null_list = argument.is_null() && argument.kind() == Kind::list;
    if (!is_null_list) list_items(argument, "lists");
  }
  for (const Value& argument : arguments) {
    if (!argument.is_null() && !argument.items().empty()) return argument;
  }
  throw ValueError("no argument is a list with items");
}

Value distinct(const Values& arguments) {
  Values items;
  for (const Value& item : arguments[0].items()) {
    if (std::find(items.begin(), items.end(), item) == items.end()) items.push_back(item);
  }
  return like(arguments[0], std::move(items));
}

Value keys(const Values& arguments) {
  if (!arguments[0].is_mapping()) wrong_kind(arguments[0], "a map or an object");
  Values names;
  for (const auto& [name, member] : arguments[0].members()) names.push_back(Value::of(name));
  if (arguments[0].kind() == Kind::map) return Value::list(Type::string(), std::move(names));
  return Value::tuple(std::move(names));
}

Value values(const Values& arguments) {
  if (!arguments[0].is_mapping()) wrong_kind(arguments[0], "a map or an object");
  Values members;
  for (const auto& [name, member] : arguments[0].members()) members.push_back(member);
  if (arguments[0].kind() == Kind::map) return Value::list(arguments[0].type().element(), std::move(members));
  return Value::tuple(std::move(members));
}

Value zipmap(const Values& arguments) {
  const Values& names = arguments[0].items();
  const Values& items = list_items(arguments[1]);
  if (names.size() != items.size()) {
    throw ValueError(fmt::format("there are {} keys and {} values", names.size(), items.size()));
  }
  Value::Members members;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i].is_null()) throw ValueError(fmt::format("the key {} is null", i));
    members[names[i].text()] = items[i];
  }
  if (arguments[1].kind() == Kind::list) return Value::map(arguments[1].type().element(), std::move(members));
  return Value::object(std::move(members));
}

Value range(const Values& arguments) {
  constexpr std::size_t kMaxRange = 1024;
  if (arguments.empty() || arguments.size() > 3) throw ValueError("one, two or three numbers are required");
  const Number start = arguments.size() == 1 ? Number(0) : arguments[0].number();
  const Number end = arguments[arguments.size() == 1 ? 0 : 1].number();
  const Number step = arguments.size() == 3 ? arguments[2].number() : Number(end < start ? -1 : 1);
  if (step.is_zero()) throw ValueError("the step must not be zero");
  if (step.is_negative() ? start < end : end < start) throw ValueError("the step leads away from the end");
  Values numbers;
  for (Number at = start; step.is_negative() ? end < at : at < end; at = at + step) {
    if (numbers.size() == kMaxRange) throw ValueError(fmt::format("more than {} numbers", kMaxRange));
    numbers.push_back(Value::of(at));
  }
  return Value::list(Type::number(), std::move(numbers));
}

Value sort(const Values& arguments) {
  Values items = arguments[0].items();
  for (const Value& item : items) {
    if (item.is_null()) throw ValueError("null cannot be sorted");
  }
  std::sort(items.begin(), items.end(), [](const Value& a, const Value& b) { return Value::compare(a, b) < 0; });
  return Value::list(Type::string(), std::move(items));
}

Value reverselist(const Values& arguments) {
  if (!arguments[0].is_sequence()) wrong_kind(arguments[0], "a list");
  return like(arguments[0], Values(arguments[0].items().rbegin(), arguments[0].items().rend()));
}

Value indexof(const Values& arguments) {
  const Values& items = list_items(arguments[0]);
  const auto found = std::find(items.begin(), items.end(), arguments[1]);
  if (found == items.end()) throw ValueError("the list does not hold the value");
  return Value::of(static_cast<std::int64_t>(found - items.begin()));
}

Value contains(const Values& arguments) {
  if (!arguments[0].is_sequence()) wrong_kind(arguments[0], "a list");
  const Values& items = arguments[0].items();
  return Value::of(std::find(items.begin(), items.end(), arguments[1]) != items.end());
}

Value compact(const Values& arguments) {
  Values items;
  for (const Value& item : arguments[0].items()) {
    if (!item.is_null() && !item.text().empty()) items.push_back(item);
  }
  return Value::list(Type::string(), std::move(items));
}

Value length(const Values& arguments) {
  if (!arguments[0].is_sequence() && !arguments[0].is(Kind::map)) wrong_kind(arguments[0], "a list or a map");
  return Value::of(static_cast<std::int64_t>(arguments[0].size()));
}

}  // namespace

FunctionTable collection_functions() {
  const Parameter list_of_any{"list", Type::list(Type())};
  const Parameter number{"number", Type::number()};
  return {
      {"chunklist", {{list_of_any, {"size", Type::number()}}, {}, chunklist}},
      {"coalesce", {{}, nullable("vals"), coalesce}},
      {"coalescelist", {{}, nullable("vals"), coalescelist}},
      {"compact", {{strings("list")}, {}, compact}},
      {"concat", {{}, any("seqs"), concat}},
      {"contains", {{any("list"), any("value")}, {}, contains}},
      {"distinct", {{list_of_any}, {}, distinct, [](const Values& a) { return a[0].size() * a[0].size() / 8; }}},
      {"element", {{any("list"), {"index", Type::number()}}, {}, element}},
      {"equal", {{nullable("a"), nullable("b")}, {}, [](const Values& a) { return Value::of(a[0] == a[1]); }}},
      {"flatten", {{any("list")}, {}, flatten}},
      {"hasindex",
       {{any("collection"), any("key")},
        {},
        [](const Values& a) {
          const bool is_map = a[0].is(Kind::map);
          if (!is_map) list_items(a[0], "a list or a map");
          const bool may_be_key = a[1].kind() == (is_map ? Kind::string : Kind::number);
          return Value::of(may_be_key && find_item(a[0], a[1]) != nullptr);
        }}},
      {"index",
       {{any("collection"), any("key")},
        {},
        [](const Values& a) {
          const Value* item = find_item(a[0], a[1]);
          if (item == nullptr) throw ValueError("there is no such key");
          return *item;
        }}},
      {"indexof", {{any("list"), any("value")}, {}, indexof}},
      {"keys", {{any("inputMap")}, {}, keys}},
      {"length", {{any("collection")}, {}, length}},
      {"lookup", {{any("inputMap"), {"key", Type::string()}, any("default")}, {}, lookup}},
      {"merge", {{}, nullable("maps"), merge}},
      {"notequal", {{nullable("a"), nullable("b")}, {}, [](const Values& a) { return Value::of(!(a[0] == a[1])); }}},
      {"range", {{}, number, range}},
      {"reverselist", {{any("list")}, {}, reverselist}},
      {"slice", {{any("list"), {"start_index", Type::number()}, {"end_index", Type::number()}}, {}, slice}},
      {"sort", {{strings("list")}, {}, sort}},
      {"values", {{any("mapping")}, {}, values}},
      {"zipmap", {{strings("keys"), any("values")}, {}, zipmap}},
  };
}

}  // namespace kiln::hcl
