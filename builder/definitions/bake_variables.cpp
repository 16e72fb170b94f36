#include "builder/definitions/bake_variables.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "registry/oci/platform.hpp"

namespace kiln {

using nlohmann::json;

BakeVariables::BakeVariables(const JsonSource& source, const EnvironmentLookup& environment)
    : source_(source), environment_(environment) {
  values_["BAKE_CMD_CONTEXT"] = "cwd://";
  values_["BAKE_LOCAL_PLATFORM"] = oci::Platform::host().str();
}

void BakeVariables::declare(const std::string& name, const json& block, const std::string& pointer) {
  Variable variable{nullptr, pointer, "", true};
  if (!block.is_object()) source_.fail(pointer, fmt::format("variable '{}': expected an object", printable(name)));
  for (const auto& [key, value] : block.items()) {
    const std::string at = child_pointer(pointer, key);
    if (key == "default") {
      variable.default_value = value;
      variable.pointer = at;
    } else if (key == "type") {
      if (!value.is_string()) source_.fail(at, "a type is a text such as 'string'");
      variable.type = value.get<std::string>();
    } else if (key == "validation") {
      source_.fail(at, "kiln evaluates no conditions, so 'validation' of a variable is not supported; leave it out");
    } else if (key != "description" && key != "//") {
      source_.fail(at, fmt::format("unknown attribute '{}' of a variable{}", printable(key),
                                   suggestion(key, {"default", "description", "type"})));
    }
  }
  if (!declared_.emplace(name, std::move(variable)).second) {
    source_.fail(pointer, fmt::format("variable '{}' is there twice", printable(name)));
  }
}

void BakeVariables::define(const std::string& name, const json& value, const std::string& pointer) {
  declared_.emplace(name, Variable{value, pointer, "", false});
}

std::vector<std::string> BakeVariables::names() const {
  std::vector<std::string> result;
  for (const auto& [name, variable] : declared_) result.push_back(name);
  return result;
}

const json* BakeVariables::find(const std::string& name) {
  if (const auto known = values_.find(name); known != values_.end()) return &known->second;
  const auto declared = declared_.find(name);
  if (declared == declared_.end()) return nullptr;
  const Variable& variable = declared->second;
  if (!in_progress_.insert(name).second) {
    source_.fail(variable.pointer, fmt::format("the default of variable '{}' leads back to it", printable(name)));
  }
  json value = evaluate(variable.default_value, variable.pointer);
  if (variable.reads_environment) {
    if (const auto text = environment_(name)) {
      value = from_environment(name, variable, value, *text);
    } else if (value.is_null() && variable.default_value.is_null()) {
      value = "";
    }
  }
  in_progress_.erase(name);
  return &values_.emplace(name, std::move(value)).first->second;
}

json BakeVariables::from_environment(const std::string& name, const Variable& variable, const json& default_value,
                                     const std::string& text) const {
  const auto fail = [&](std::string_view expected) {
    source_.fail(variable.pointer, fmt::format("the environment's value of variable '{}' is not valid: expected {}",
                                               printable(name), expected));
  };
  const bool is_number = variable.type.empty() ? default_value.is_number() : variable.type == "number";
  const bool is_bool = variable.type.empty() ? default_value.is_boolean() : variable.type == "bool";
  if (is_number) {
    const json number = json::parse(text, nullptr, false);
    if (!number.is_number()) fail("a number");
    return number;
  }
  if (is_bool) {
    if (text != "true" && text != "false" && text != "1" && text != "0") fail("true or false");
    return text == "true" || text == "1";
  }
  const bool is_text = variable.type.empty() ? !default_value.is_structured() : variable.type == "string";
  if (!is_text) fail("no value at all, since kiln takes no lists and objects from the environment");
  return text;
}

json BakeVariables::evaluate(const json& value, const std::string& pointer, const std::map<std::string, json>& scope) {
  if (value.is_string()) return evaluate_text(value.get_ref<const std::string&>(), pointer, scope);
  if (value.is_array()) {
    json result = json::array();
    for (std::size_t i = 0; i < value.size(); ++i) {
      result.push_back(evaluate(value[i], child_pointer(pointer, i), scope));
    }
    return result;
  }
  if (!value.is_object()) return value;
  json result = json::object();
  for (const auto& [key, member] : value.items()) {
    const std::string at = child_pointer(pointer, key);
    const json name = evaluate_text(key, at, scope);
    if (!name.is_string()) source_.fail(at, "expected a text as key");
    if (result.contains(name.get<std::string>())) {
      source_.fail(at, fmt::format("the key '{}' is there twice", printable(name.get<std::string>())));
    }
    result[name.get<std::string>()] = evaluate(member, at, scope);
  }
  return result;
}

json BakeVariables::evaluate_text(const std::string& text, const std::string& pointer,
                                  const std::map<std::string, json>& scope) {
  const auto lookup = [&](const std::string& name) -> const json* {
    if (const auto local = scope.find(name); local != scope.end()) return &local->second;
    if (const json* value = find(name)) return value;
    std::vector<std::string> known = names();
    for (const auto& [local, ignored] : scope) known.push_back(local);
    if (name == "target" || name == "group" || name == "variable") {
      source_.fail(pointer, fmt::format("kiln evaluates no attributes of others by '{}'; write the value itself, or a "
                                        "variable that both name",
                                        name));
    }
    source_.fail(pointer, fmt::format("unknown variable '{}'{}", printable(name), suggestion(name, known)));
  };
  json result;
  try {
    result = evaluate_template(text, lookup);
  } catch (const Error& error) {
    // An error of a variable's own default has its place already.
    if (error.message().starts_with(display_path(source_.file()) + ":")) throw;
    source_.fail(pointer, error.message());
  }
  return result;
}

}  // namespace kiln
