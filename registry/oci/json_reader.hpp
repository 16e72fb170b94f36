#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace kiln::oci {

// Typed access to the members of a JSON object that a registry sent: every getter throws Error{network} that names
// the document and the member where the type is not the one expected. A member that is null counts as absent, as
// docker writes it. Only for the sources of this room; it borrows the value.
class JsonReader {
 public:
  JsonReader(const nlohmann::json& value, std::string_view where) : value_(value), where_(where) {
    if (!value.is_object()) throw Error(Category::network, where_ + ": expected a JSON object");
  }

  const nlohmann::json* find(const char* key) const {
    const auto it = value_.find(key);
    return it == value_.end() || it->is_null() ? nullptr : &*it;
  }
  bool has(const char* key) const { return find(key) != nullptr; }

  std::string string(const char* key) const {
    const auto* member = find(key);
    if (!member) return {};
    if (!member->is_string()) refuse(key, "a string");
    return member->get<std::string>();
  }
  bool boolean(const char* key) const {
    const auto* member = find(key);
    if (!member) return false;
    if (!member->is_boolean()) refuse(key, "true or false");
    return member->get<bool>();
  }
  std::int64_t integer(const char* key) const {
    const auto* member = find(key);
    if (!member) return 0;
    if (!member->is_number_integer()) refuse(key, "a whole number");
    if (member->is_number_unsigned() && member->get<std::uint64_t>() > INT64_MAX) refuse(key, "a smaller number");
    return member->get<std::int64_t>();
  }
  std::vector<std::string> strings(const char* key) const {
    const auto* member = find(key);
    std::vector<std::string> result;
    if (!member) return result;
    if (!member->is_array()) refuse(key, "a list of strings");
    for (const auto& item : *member) {
      if (!item.is_string()) refuse(key, "a list of strings");
      result.push_back(item.get<std::string>());
    }
    return result;
  }
  std::map<std::string, std::string> string_map(const char* key) const {
    const auto* member = find(key);
    std::map<std::string, std::string> result;
    if (!member) return result;
    if (!member->is_object()) refuse(key, "an object of strings");
    for (const auto& [name, item] : member->items()) {
      if (!item.is_string()) refuse(key, "an object of strings");
      result.emplace(name, item.template get<std::string>());
    }
    return result;
  }
  // The keys of an object such as {"80/tcp": {}}.
  std::set<std::string> key_set(const char* key) const {
    const auto* member = find(key);
    std::set<std::string> result;
    if (!member) return result;
    if (!member->is_object()) refuse(key, "an object");
    for (const auto& [name, item] : member->items()) result.insert(name);
    return result;
  }
  const nlohmann::json& array(const char* key) const {
    static const nlohmann::json empty = nlohmann::json::array();
    const auto* member = find(key);
    if (!member) return empty;
    if (!member->is_array()) refuse(key, "a list");
    return *member;
  }

  [[noreturn]] void refuse(const char* key, std::string_view expected) const {
    throw Error(Category::network, where_ + ": '" + key + "' must be " + std::string(expected));
  }

 private:
  const nlohmann::json& value_;
  std::string where_;
};

}  // namespace kiln::oci
