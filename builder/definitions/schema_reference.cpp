#include "builder/definitions/schema_reference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace kiln {

using nlohmann::ordered_json;

namespace {

class ReferencePage {
 public:
  explicit ReferencePage(const ordered_json& schema) : schema_(schema) {}

  std::string write(std::string_view command) {
    page_ = fmt::format("# {}\n\n{}\n\nThis page is what `{}` prints.\n", schema_.value("title", ""),
                        schema_.value("description", ""), command);
    add_keys(schema_, "");
    return std::move(page_);
  }

 private:
  // What `$ref` points to, with what stands beside it over that.
  ordered_json followed(const ordered_json& node) const {
    if (!node.contains("$ref")) return node;
    ordered_json merged = schema_.at(ordered_json::json_pointer(node.at("$ref").get<std::string>().substr(1)));
    for (const auto& [key, value] : node.items()) {
      if (key != "$ref") merged[key] = value;
    }
    return followed(merged);
  }

  static std::string code(const ordered_json& value) { return fmt::format("`{}`", json_text(value)); }

  static std::string type_word(const std::string& type) {
    if (type == "string") return "text";
    if (type == "integer") return "whole number";
    if (type == "boolean") return "true or false";
    if (type == "array") return "list";
    return type;
  }

  std::string type_of(const ordered_json& node) const {
    std::vector<std::string> words;
    if (node.contains("enum")) {
      for (const ordered_json& value : node.at("enum")) words.push_back(code(value));
      return join(words, ", ");
    }
    for (const char* choice : {"oneOf", "anyOf"}) {
      if (!node.contains(choice)) continue;
      for (const ordered_json& one : node.at(choice)) words.push_back(type_of(followed(one)));
      return join(words, ", or ");
    }
    if (!node.contains("type")) return "anything";
    const ordered_json& type = node.at("type");
    if (type.is_array()) {
      for (const ordered_json& one : type) words.push_back(type_word(one.get<std::string>()));
      return join(words, ", ");
    }
    std::string text = type_word(type.get<std::string>());
    if (const std::string limits = limits_of(node); !limits.empty()) text += " " + limits;
    if (node.contains("x-kiln-expects")) text += ": " + node.at("x-kiln-expects").get<std::string>();
    if (type == "array" && node.contains("items")) text += " of " + type_of(followed(node.at("items")));
    const bool has_free_keys = node.contains("additionalProperties") && node.at("additionalProperties").is_object();
    if (has_free_keys) text += ", each value " + type_of(followed(node.at("additionalProperties")));
    return text;
  }

  static std::string limits_of(const ordered_json& node) {
    const bool has_least = node.contains("minimum"), has_most = node.contains("maximum");
    if (has_least && has_most)
      return fmt::format("from {} to {}", json_text(node["minimum"]), json_text(node["maximum"]));
    if (has_least) return fmt::format("from {}", json_text(node["minimum"]));
    return has_most ? fmt::format("up to {}", json_text(node["maximum"])) : "";
  }

  void add_key(const ordered_json& node, const std::string& name, bool is_required) {
    page_ += fmt::format("\n## `{}`\n\n", name);
    if (node.contains("description")) page_ += node.at("description").get<std::string>() + "\n\n";
    page_ += fmt::format("- type: {}\n", type_of(node));
    page_ += fmt::format("- default: {}\n", is_required                ? "none: it must be said"
                                            : node.contains("default") ? code(node.at("default"))
                                                                       : "none");
    if (node.contains("x-kiln-sets")) page_ += fmt::format("- sets too: {}\n", listed(node.at("x-kiln-sets")));
    if (node.contains("examples")) page_ += fmt::format("- example: {}\n", listed(node.at("examples")));
  }

  static std::string listed(const ordered_json& values) {
    std::vector<std::string> words;
    for (const ordered_json& value : values) words.push_back(code(value));
    return join(words, ", ");
  }

  // The keys of an object, or of the objects of a list, each with those below it.
  void add_keys(const ordered_json& node, const std::string& prefix) {
    if (node.contains("properties")) {
      const ordered_json required = node.value("required", ordered_json::array());
      for (const auto& [key, value] : node.at("properties").items()) {
        const ordered_json property = followed(value);
        const bool is_required = std::find(required.begin(), required.end(), key) != required.end();
        add_key(property, prefix + key, is_required);
        add_keys(property, prefix + key + ".");
      }
    }
    for (const char* choice : {"oneOf", "anyOf"}) {
      if (!node.contains(choice)) continue;
      for (const ordered_json& one : node.at(choice)) add_keys(followed(one), prefix);
    }
    if (node.contains("items")) add_keys(followed(node.at("items")), prefix);
  }

  const ordered_json& schema_;
  std::string page_;
};

}  // namespace

std::string schema_reference(std::string_view schema_text, std::string_view command) {
  if (!try_parse_json(schema_text)) throw Error(Category::usage, "a schema that is no JSON has no reference page");
  return ReferencePage(parse_own_ordered_json(schema_text)).write(command);
}

}  // namespace kiln
