#include "builder/definitions/bake/attributes.hpp"

#include <fmt/format.h>

#include <algorithm>

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

}  // namespace

const std::vector<Attribute>& attributes() {
  static const std::vector<Attribute> table = {
      {.name = "description", .form = Form::text, .merge = Merge::replace, .is_never_null = true},
      {.name = "annotations",
       .form = Form::texts,
       .merge = Merge::append,
       .is_escaped = true,
       .set_name = "annotation"},
      {.name = "attest",
       .form = Form::entries,
       .merge = Merge::append,
       .entry = EntryKind::attestation,
       .is_never_null = true},
      {.name = "context", .form = Form::text, .merge = Merge::replace},
      {.name = "contexts", .form = Form::pairs, .merge = Merge::by_key},
      {.name = "dockerfile", .form = Form::text, .merge = Merge::replace},
      {.name = "dockerfile-inline", .form = Form::text, .merge = Merge::replace, .is_escaped = true},
      {.name = "args",
       .form = Form::pairs,
       .merge = Merge::by_key,
       .allows_null_members = true,
       .is_escaped = true,
       .set_name = "arg"},
      {.name = "labels",
       .form = Form::pairs,
       .merge = Merge::by_key,
       .allows_null_members = true,
       .is_escaped = true,
       .set_name = "label"},
      {.name = "tags", .form = Form::texts, .merge = Merge::replace, .set_name = "tag"},
      {.name = "cache-from",
       .form = Form::entries,
       .merge = Merge::append,
       .entry = EntryKind::cache,
       .is_never_null = true},
      {.name = "cache-to",
       .form = Form::entries,
       .merge = Merge::replace,
       .entry = EntryKind::cache,
       .is_never_null = true},
      {.name = "target", .form = Form::text, .merge = Merge::replace},
      {.name = "secret",
       .form = Form::entries,
       .merge = Merge::append,
       .entry = EntryKind::secret,
       .is_never_null = true},
      {.name = "ssh", .form = Form::entries, .merge = Merge::append, .entry = EntryKind::ssh, .is_never_null = true},
      {.name = "platforms", .form = Form::texts, .merge = Merge::replace, .set_name = "platform"},
      {.name = "output",
       .form = Form::entries,
       .merge = Merge::replace,
       .entry = EntryKind::output,
       .is_never_null = true},
      {.name = "pull", .form = Form::flag, .merge = Merge::replace},
      {.name = "no-cache", .form = Form::flag, .merge = Merge::replace},
      {.name = "network", .form = Form::text, .merge = Merge::replace},
      {.name = "no-cache-filter", .form = Form::texts, .merge = Merge::append},
      {.name = "shm-size", .form = Form::text, .merge = Merge::replace},
      {.name = "ulimits", .form = Form::texts, .merge = Merge::append, .set_name = "ulimit"},
      {.name = "resources", .form = Form::resources, .merge = Merge::by_key, .set_name = "resource"},
      {.name = "call", .form = Form::text, .merge = Merge::replace},
      {.name = "entitlements", .form = Form::texts, .merge = Merge::append, .set_name = "entitlement"},
      {.name = "extra-hosts",
       .form = Form::pairs,
       .merge = Merge::by_key,
       .allows_null_members = true,
       .is_escaped = true,
       .set_name = "extra-host"},
      {.name = "policy",
       .form = Form::entries,
       .merge = Merge::append,
       .entry = EntryKind::policy,
       .is_never_null = true},
  };
  return table;
}

const Attribute* find_attribute(std::string_view name) {
  static const auto index = [] {
    std::map<std::string_view, const Attribute*> result;
    for (const Attribute& attribute : attributes()) result.emplace(attribute.name, &attribute);
    return result;
  }();
  const auto found = index.find(name);
  return found == index.end() ? nullptr : found->second;
}

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

}  // namespace kiln::bake
