#pragma once

#include <algorithm>
#include <cstdint>
#include <exception>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.hpp"
#include "builder/report/contents.hpp"
#include "registry/oci/digest.hpp"

namespace kiln {

// Typed access to the members of one JSON object for the sources of this room. A getter without a default throws
// where the member is missing. What the Error looks like is decided by `refuse`, which is called with the RFC 6901
// pointer of the member and what is wrong with it, and must throw. Borrows both arguments.
class JsonFields {
 public:
  using Json = nlohmann::json;
  using Refuse = std::function<void(const std::string& pointer, const std::string& problem)>;

  JsonFields(const Json& value, std::string pointer, const Refuse& refuse)
      : value_(value), pointer_(std::move(pointer)), refuse_(refuse) {
    if (!value.is_object()) refuse_(pointer_, "expected an object");
  }

  bool has(const char* key) const { return value_.contains(key) && !value_.at(key).is_null(); }

  std::string string(const char* key) const {
    const Json& member = at(key);
    if (!member.is_string()) refuse(key, "expected a string");
    return member.get<std::string>();
  }
  std::string string_or(const char* key, std::string fallback) const { return has(key) ? string(key) : fallback; }

  std::uint64_t unsigned_integer(const char* key) const {
    const Json& member = at(key);
    if (!member.is_number_unsigned()) refuse(key, "expected a whole number, not negative");
    return member.get<std::uint64_t>();
  }
  std::uint64_t unsigned_integer_or(const char* key, std::uint64_t fallback) const {
    return has(key) ? unsigned_integer(key) : fallback;
  }
  int small_integer(const char* key) const {
    const std::uint64_t value = unsigned_integer(key);
    if (value > INT32_MAX) refuse(key, "expected a smaller number");
    return static_cast<int>(value);
  }
  double number(const char* key) const {
    const Json& member = at(key);
    if (!member.is_number()) refuse(key, "expected a number");
    return member.get<double>();
  }
  // The member must be there; null means none.
  std::optional<double> number_or_null(const char* key) const {
    return at(key).is_null() ? std::nullopt : std::optional(number(key));
  }
  // "" means none.
  oci::Digest digest(const char* key) const {
    const std::string text = string(key);
    if (text.empty()) return {};
    if (!oci::Digest::is_valid(text)) refuse(key, "expected a digest 'sha256:HEX'");
    return oci::Digest::parse(text);
  }
  std::vector<std::string> strings(const char* key) const {
    std::vector<std::string> result;
    for (const Json& item : array(key)) {
      if (!item.is_string()) refuse(key, "expected a list of strings");
      result.push_back(item.get<std::string>());
    }
    return result;
  }
  std::vector<double> numbers(const char* key) const {
    std::vector<double> result;
    for (const Json& item : array(key)) {
      if (!item.is_number()) refuse(key, "expected a list of numbers");
      result.push_back(item.get<double>());
    }
    return result;
  }

  JsonFields object(const char* key) const { return JsonFields(at(key), pointer_to(key), refuse_); }

  // Calls `body` with the JsonFields of each object in a list.
  template <class Body>
  void each(const char* key, Body&& body) const {
    std::size_t index = 0;
    for (const Json& item : array(key)) {
      body(JsonFields(item, pointer_to(key) + "/" + std::to_string(index++), refuse_));
    }
  }
  // Calls `body` with the name and the JsonFields of each member of an object of objects.
  template <class Body>
  void each_member(Body&& body) const {
    for (const auto& [name, member] : value_.items()) body(name, JsonFields(member, pointer_to(name), refuse_));
  }

  // Refuses members that are not among the known ones.
  void only(const std::vector<std::string>& known) const {
    for (const auto& [name, member] : value_.items()) {
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      refuse(name, "unknown key '" + printable(name) + "'" + suggestion(name, known));
    }
  }

  [[noreturn]] void refuse(std::string_view key, const std::string& problem) const {
    refuse_(pointer_to(key), problem);
    std::terminate();  // refuse_ throws
  }

 private:
  const Json& at(const char* key) const {
    const auto it = value_.find(key);
    if (it == value_.end()) refuse_(pointer_, "misses '" + std::string(key) + "'");
    return *it;
  }
  const Json& array(const char* key) const {
    const Json& member = at(key);
    if (!member.is_array()) refuse(key, "expected a list");
    return member;
  }
  std::string pointer_to(std::string_view key) const {
    std::string result = pointer_ + "/";
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

  const Json& value_;
  std::string pointer_;
  const Refuse& refuse_;
};

// {"base": N, "build_tools": N, "caches": N, "duplicates": N, "packages": N, "repeated": N}; in reports and
// baselines.json.
inline nlohmann::ordered_json contents_to_json(const ContentBytes& contents) {
  nlohmann::ordered_json result = nlohmann::ordered_json::object();
  for (const Content content : kContents) result[std::string(to_string(content))] = contents[content];
  result["repeated"] = contents.repeated;
  return result;
}

inline ContentBytes read_contents(const JsonFields& fields) {
  ContentBytes contents;
  for (const Content content : kContents)
    contents[content] = fields.unsigned_integer(std::string(to_string(content)).c_str());
  contents.repeated = fields.unsigned_integer("repeated");
  if (contents.repeated > contents[Content::packages]) fields.refuse("repeated", "expected no more than 'packages'");
  return contents;
}

}  // namespace kiln
