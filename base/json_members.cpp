#include "base/json_members.hpp"

#include <algorithm>
#include <exception>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/text.hpp"

namespace kiln {

using Json = nlohmann::json;

JsonMembers::Refuse JsonMembers::refusal(std::string_view where, Category category) {
  return [where = std::string(where), category](const std::string& pointer, const std::string& problem) {
    const std::string member = pointer.empty() ? "" : "'" + printable(pointer.substr(1)) + "': ";
    throw Error(category, where + ": " + member + problem);
  };
}

JsonMembers::JsonMembers(const Json& value, const Refuse& refuse, std::string pointer)
    : value_(value), refuse_(refuse), pointer_(std::move(pointer)) {
  if (!value.is_object()) this->refuse("expected an object");
}

const Json* JsonMembers::find(const char* key) const {
  const auto member = value_.find(key);
  return member == value_.end() || member->is_null() ? nullptr : &*member;
}

std::string JsonMembers::string(const char* key) const {
  const Json& member = at(key);
  if (!member.is_string()) refuse(key, "expected a string");
  return member.get<std::string>();
}

std::string JsonMembers::string_or(const char* key, const std::string& fallback) const {
  return has(key) ? string(key) : fallback;
}

bool JsonMembers::boolean(const char* key) const {
  const Json& member = at(key);
  if (!member.is_boolean()) refuse(key, "expected true or false");
  return member.get<bool>();
}

bool JsonMembers::boolean_or(const char* key, bool fallback) const { return has(key) ? boolean(key) : fallback; }

std::int64_t JsonMembers::integer_or(const char* key, std::int64_t fallback) const {
  const Json* member = find(key);
  if (member == nullptr) return fallback;
  if (!member->is_number_integer()) refuse(key, "expected a whole number");
  if (member->is_number_unsigned() && member->get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max())
    refuse(key, "expected a smaller number");
  return member->get<std::int64_t>();
}

std::uint64_t JsonMembers::unsigned_integer(const char* key) const {
  const Json& member = at(key);
  if (!member.is_number_unsigned()) refuse(key, "expected a whole number, not negative");
  return member.get<std::uint64_t>();
}

std::uint64_t JsonMembers::unsigned_integer_or(const char* key, std::uint64_t fallback) const {
  return has(key) ? unsigned_integer(key) : fallback;
}

int JsonMembers::small_integer(const char* key) const {
  const std::uint64_t value = unsigned_integer(key);
  if (value > std::numeric_limits<int>::max()) refuse(key, "expected a smaller number");
  return static_cast<int>(value);
}

double JsonMembers::number(const char* key) const {
  const Json& member = at(key);
  if (!member.is_number()) refuse(key, "expected a number");
  return member.get<double>();
}

std::optional<double> JsonMembers::number_or_null(const char* key) const {
  return at(key).is_null() ? std::nullopt : std::optional(number(key));
}

std::vector<double> JsonMembers::numbers(const char* key) const {
  std::vector<double> result;
  for (const Json& item : list(key)) {
    if (!item.is_number()) refuse(key, "expected a list of numbers");
    result.push_back(item.get<double>());
  }
  return result;
}

std::vector<std::string> JsonMembers::strings(const char* key) const {
  std::vector<std::string> result;
  const Json& items = at(key);
  if (!items.is_array()) refuse(key, "expected a list of strings");
  for (const Json& item : items) {
    if (!item.is_string()) refuse(key, "expected a list of strings");
    result.push_back(item.get<std::string>());
  }
  return result;
}

std::vector<std::string> JsonMembers::strings_or_none(const char* key) const {
  return has(key) ? strings(key) : std::vector<std::string>();
}

std::map<std::string, std::string> JsonMembers::string_map_or_none(const char* key) const {
  std::map<std::string, std::string> result;
  const Json* member = find(key);
  if (member == nullptr) return result;
  if (!member->is_object()) refuse(key, "expected an object of strings");
  for (const auto& [name, item] : member->items()) {
    if (!item.is_string()) refuse(key, "expected an object of strings");
    result.emplace(name, item.template get<std::string>());
  }
  return result;
}

std::set<std::string> JsonMembers::keys_or_none(const char* key) const {
  std::set<std::string> result;
  const Json* member = find(key);
  if (member == nullptr) return result;
  if (!member->is_object()) refuse(key, "expected an object");
  for (const auto& [name, item] : member->items()) result.insert(name);
  return result;
}

JsonMembers JsonMembers::object(const char* key) const {
  return JsonMembers(at(key), refuse_, child_pointer(pointer_, key));
}

void JsonMembers::each(const char* key, const std::function<void(const JsonMembers&)>& body) const {
  const std::string pointer = child_pointer(pointer_, key);
  std::size_t index = 0;
  for (const Json& item : list(key)) body(JsonMembers(item, refuse_, child_pointer(pointer, index++)));
}

void JsonMembers::each_or_none(const char* key, const std::function<void(const JsonMembers&)>& body) const {
  if (has(key)) each(key, body);
}

void JsonMembers::each_member(const std::function<void(const std::string&, const JsonMembers&)>& body) const {
  for (const auto& [name, member] : value_.items())
    body(name, JsonMembers(member, refuse_, child_pointer(pointer_, name)));
}

void JsonMembers::only(const std::vector<std::string>& known) const {
  for (const auto& [name, member] : value_.items()) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    refuse(name, "unknown key '" + printable(name) + "'" + suggestion(name, known));
  }
}

void JsonMembers::exactly(const std::vector<std::string>& keys) const {
  only(keys);
  for (const std::string& key : keys) at(key.c_str());
}

void JsonMembers::refuse(std::string_view key, const std::string& problem) const {
  refuse_(child_pointer(pointer_, key), problem);
  std::terminate();  // refuse_ throws
}

void JsonMembers::refuse(const std::string& problem) const {
  refuse_(pointer_, problem);
  std::terminate();
}

const Json& JsonMembers::at(const char* key) const {
  const auto member = value_.find(key);
  if (member == value_.end()) refuse("misses '" + std::string(key) + "'");
  return *member;
}

const Json& JsonMembers::list(const char* key) const {
  const Json& member = at(key);
  if (!member.is_array()) refuse(key, "expected a list");
  return member;
}

std::string child_pointer(std::string_view parent, std::string_view key) {
  std::string result(parent);
  result += '/';
  for (const char c : key) {
    if (c == '~') {
      result += "~0";
    } else if (c == '/') {
      result += "~1";
    } else {
      result += c;
    }
  }
  return result;
}

std::string child_pointer(std::string_view parent, std::size_t index) {
  return std::string(parent) + "/" + std::to_string(index);
}

}  // namespace kiln
