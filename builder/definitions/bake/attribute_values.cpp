#include "builder/definitions/bake/attribute_values.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "builder/definitions/hcl/convert.hpp"

namespace kiln::bake {

namespace {

using hcl::Type;
using hcl::Value;
using hcl::ValueError;
using Form = Attribute::Form;
using Merge = Attribute::Merge;

Value without_null_members(const Attribute& attribute, const Value& map) {
  Value::Members members;
  for (const auto& [key, member] : map.members()) {
    if (!member.is_null()) {
      members.emplace(key, member);
    } else if (!attribute.allows_null_members) {
      throw ValueError(fmt::format("'{}' is null", printable(key)));
    }
  }
  return Value::map(Type::string(), std::move(members));
}

Value read_resources(const Value& value) {
  static const std::map<std::string, Type> kKeys = {{"memory", Type::string()},     {"memory-swap", Type::string()},
                                                    {"cpu-shares", Type::number()}, {"cpu-period", Type::number()},
                                                    {"cpu-quota", Type::number()},  {"cpuset-cpus", Type::string()},
                                                    {"cpuset-mems", Type::string()}};
  std::set<std::string> optional;
  for (const auto& [key, type] : kKeys) optional.insert(key);
  Value::Members members = hcl::convert(value, Type::object(kKeys, optional)).members();
  std::erase_if(members, [](const auto& member) { return member.second.is_null(); });
  return Value::object(std::move(members));
}

std::vector<Value> distinct_texts(const std::vector<Value>& texts) {
  std::vector<Value> result;
  for (const Value& text : texts) {
    if (!text.text().empty() && std::find(result.begin(), result.end(), text) == result.end()) result.push_back(text);
  }
  return result;
}

bool is_asked_for(const Attribute& attribute, const Value& value) {
  if (value.is_sequence()) {
    return !std::all_of(value.items().begin(), value.items().end(), [&](const Value& item) {
      return attribute.asks_for_nothing != nullptr && attribute.asks_for_nothing(item);
    });
  }
  return !value.is_mapping() || value.size() > 0;
}

}  // namespace

std::optional<Value> read_attribute(const Attribute& attribute, const Value& value) {
  if (value.is_null()) return std::nullopt;
  switch (attribute.form) {
    case Form::text:
      return hcl::convert(value, Type::string());
    case Form::flag:
      return hcl::convert(value, Type::boolean());
    case Form::texts: {
      Value list = hcl::convert(value, Type::list(Type::string()));
      const bool has_null =
          std::any_of(list.items().begin(), list.items().end(), [](const Value& item) { return item.is_null(); });
      if (has_null) throw ValueError("an item of the list is null");
      return list;
    }
    case Form::pairs:
      return without_null_members(attribute, hcl::convert(value, Type::map(Type::string())));
    case Form::entries:
      return Value::tuple(entries_of_list(attribute.entry, value));
    case Form::resources:
      return read_resources(value);
  }
  return std::nullopt;
}

void merge_over(AttributeValues& into, const AttributeValues& over) {
  for (const auto& [name, value] : over) {
    const Attribute& attribute = *find_attribute(name);
    const auto below = into.find(name);
    if (below == into.end() || attribute.merge == Merge::replace) {
      if (name == "description" && value.text().empty()) continue;
      into.insert_or_assign(name, value);
    } else if (attribute.merge == Merge::by_key) {
      Value::Members members = below->second.members();
      for (const auto& [key, member] : value.members()) members.insert_or_assign(key, member);
      below->second = attribute.form == Form::pairs ? Value::map(Type::string(), std::move(members))
                                                    : Value::object(std::move(members));
    } else {
      Value::Items items = below->second.items();
      items.insert(items.end(), value.items().begin(), value.items().end());
      if (attribute.form == Form::entries) remove_repeats(attribute.entry, items);
      below->second = attribute.form == Form::texts ? Value::list(Type::string(), std::move(items))
                                                    : Value::tuple(std::move(items));
    }
  }
}

void normalise(AttributeValues& values) {
  for (auto& [name, value] : values) {
    const Attribute& attribute = *find_attribute(name);
    if (attribute.form == Form::texts) {
      value = Value::list(Type::string(), distinct_texts(value.items()));
    } else if (attribute.form == Form::entries) {
      Value::Items entries = value.items();
      remove_repeats(attribute.entry, entries);
      value = Value::tuple(std::move(entries));
    }
  }
  // An empty list of entries takes away what a target inherits, but nothing from those that inherit it.
  std::erase_if(values, [](const auto& said) {
    return find_attribute(said.first)->form == Form::entries && said.second.items().empty();
  });
  const auto network = values.find("network");
  if (network != values.end() && network->second.text() == "host") {
    Value::Items items;
    if (const auto known = values.find("entitlements"); known != values.end()) items = known->second.items();
    items.push_back(Value::of("network.host"));
    values.insert_or_assign("entitlements", Value::list(Type::string(), distinct_texts(items)));
  }
  if (const auto contexts = values.find("contexts"); contexts != values.end()) {
    Value::Members members = contexts->second.members();
    std::erase_if(members, [](const auto& member) { return member.second.text().empty(); });
    contexts->second = Value::map(Type::string(), std::move(members));
  }
}

bool is_refused(const Attribute& attribute, const Value& value) {
  return !attribute.refusal.empty() && is_asked_for(attribute, value);
}

void apply_value(const Attribute& attribute, const Value& value, TargetSpec& target, const AttributeFolders& folders) {
  if (attribute.refusal.empty()) {
    attribute.apply(value, target, folders);
  } else if (is_refused(attribute, value)) {
    throw Error(Category::usage, fmt::format("target '{}': kiln does not honour '{}': {}", printable(target.name),
                                             attribute.name, attribute.refusal));
  }
}

void apply_values(const AttributeValues& values, TargetSpec& target, const AttributeFolders& folders) {
  for (const Attribute& attribute : attributes()) {
    if (const auto said = values.find(attribute.name); said != values.end()) {
      apply_value(attribute, said->second, target, folders);
    }
  }
}

AttributeValues values_of(const TargetSpec& target, const fs::path& folder) {
  AttributeValues values;
  for (const Attribute& attribute : attributes()) {
    if (attribute.value_of == nullptr) continue;
    if (auto value = attribute.value_of(target, folder)) values.emplace(attribute.name, *std::move(value));
  }
  return values;
}

}  // namespace kiln::bake
