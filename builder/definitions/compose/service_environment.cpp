#include "builder/definitions/compose/service_environment.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace kiln::compose {

KeyValues key_values(const Node& node) {
  KeyValues result;
  for (const auto& [key, value] : node.members) {
    result[key] = value.is_scalar() ? std::optional(text_of_scalar(value)) : std::nullopt;
  }
  for (const Node& item : node.items) {
    const std::size_t equals = item.text.find('=');
    const std::string key = item.text.substr(0, equals);
    result[key] = equals == std::string::npos ? std::nullopt : std::optional(item.text.substr(equals + 1));
  }
  return result;
}

ServiceEnvironment service_environment(const Node& service, const ComposeOptions& options, const Lookup& variables) {
  ServiceEnvironment result;
  KeyValues own;
  if (const Node* environment = service.find("environment")) own = key_values(*environment);
  std::map<std::string, std::string> values;
  for (auto& [name, value] : own) {
    if (!value) value = variables(name);
    if (value) values[name] = *value;
  }
  const std::map<std::string, std::string> said = values;
  const Lookup lookup = with_defaults(variables, said);
  const Node* files = service.find("env_file");
  std::vector<Node> entries;
  if (files != nullptr && options.reads_env_files) entries = files->is_scalar() ? std::vector{*files} : files->items;
  for (const Node& entry : entries) {
    const Node* path = entry.is_mapping() ? entry.find("path") : &entry;
    if (path == nullptr || !path->is_scalar()) continue;
    const fs::path file = options.base() / in_home(path->text, options);
    if (!fs::exists(file)) {
      const Node* required = entry.is_mapping() ? entry.find("required") : nullptr;
      if (required == nullptr || is_true(*required)) result.missing_file = path->text;
      continue;
    }
    if (const Node* format = entry.is_mapping() ? entry.find("format") : nullptr;
        format != nullptr && !format->text.empty()) {
      hcl::fail(format->place, fmt::format("'env_file' '{}': the format '{}' is not known", printable(path->text),
                                           printable(format->text)));
    }
    read_env_file(path->text, read_project_file(file, options), lookup, values);
  }
  for (const auto& [name, value] : values) result.values[name] = value;
  for (const auto& [name, value] : own) result.values[name] = value;
  return result;
}

}  // namespace kiln::compose
