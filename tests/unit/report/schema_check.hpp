#pragma once

#include <nlohmann/json.hpp>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

namespace kiln::test {

// Validates a value against the part of JSON Schema 2020-12 that the schemas of this repository use; a keyword
// that it does not know is an error, so that no rule is passed over. Independent of the code under test.
class SchemaCheck {
 public:
  explicit SchemaCheck(const nlohmann::json& schema) : root_(schema) {}

  std::vector<std::string> problems(const nlohmann::json& value) {
    found_.clear();
    check(value, root_, "");
    return found_;
  }

 private:
  using Json = nlohmann::json;

  static bool has_type(const Json& value, const std::string& type) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "integer") return value.is_number_integer();
    if (type == "number") return value.is_number();
    if (type == "null") return value.is_null();
    throw std::logic_error("unknown type " + type);
  }
  void problem(const std::string& at, const std::string& what) { found_.push_back(at + ": " + what); }

  void check(const Json& value, const Json& schema, const std::string& at) {
    for (const auto& [keyword, rule] : schema.items()) {
      if (keyword == "$schema" || keyword == "title" || keyword == "description" || keyword == "$defs") continue;
      if (keyword == "$ref") {
        check(value, root_.at(Json::json_pointer(rule.get<std::string>().substr(1))), at);
      } else if (keyword == "type") {
        bool ok = false;
        for (const Json& type : rule.is_array() ? rule : Json::array({rule})) ok |= has_type(value, type);
        if (!ok) problem(at, "expected " + rule.dump());
      } else if (keyword == "const") {
        if (value != rule) problem(at, "expected " + rule.dump());
      } else if (keyword == "enum") {
        bool ok = false;
        for (const Json& one : rule) ok |= one == value;
        if (!ok) problem(at, "expected one of " + rule.dump());
      } else if (keyword == "pattern") {
        if (value.is_string() && !std::regex_search(value.get<std::string>(), std::regex(rule.get<std::string>()))) {
          problem(at, "does not match " + rule.dump());
        }
      } else if (keyword == "minimum") {
        if (value.is_number() && value < rule) problem(at, "below " + rule.dump());
      } else if (keyword == "maximum") {
        if (value.is_number() && value > rule) problem(at, "above " + rule.dump());
      } else if (keyword == "minItems") {
        if (value.is_array() && value.size() < rule) problem(at, "too few items");
      } else if (keyword == "maxItems") {
        if (value.is_array() && value.size() > rule) problem(at, "too many items");
      } else if (keyword == "required") {
        for (const Json& name : rule) {
          if (value.is_object() && !value.contains(name)) problem(at, "misses " + name.dump());
        }
      } else if (keyword == "properties") {
        for (const auto& [name, sub] : rule.items()) {
          if (value.is_object() && value.contains(name)) check(value.at(name), sub, at + "/" + name);
        }
        if (!value.is_object()) continue;
        for (const auto& [name, member] : value.items()) {
          if (!rule.contains(name)) problem(at, "'" + name + "' is not described");
        }
      } else if (keyword == "items") {
        for (std::size_t i = 0; value.is_array() && i < value.size(); ++i) {
          check(value[i], rule, at + "/" + std::to_string(i));
        }
      } else {
        throw std::logic_error("unknown keyword " + keyword);
      }
    }
  }

  const Json root_;
  std::vector<std::string> found_;
};

}  // namespace kiln::test
