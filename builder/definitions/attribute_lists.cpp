#include "builder/definitions/attribute_lists.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.hpp"

namespace kiln {

using nlohmann::ordered_json;

std::string options_text(const std::vector<std::pair<std::string, std::string>>& options) {
  std::vector<std::string> fields;
  for (const auto& [key, value] : options) {
    std::string field = fmt::format("{}={}", key, value);
    if (field.find_first_of(",\"") != std::string::npos) {
      std::string quoted = "\"";
      for (const char c : field) quoted += c == '"' ? "\"\"" : std::string(1, c);
      field = quoted + "\"";
    }
    fields.insert(key == "type" ? fields.begin() : fields.end(), std::move(field));
  }
  return join(fields, ",");
}

void adopt_list(const BakeAttribute& attribute, const TargetSpec& target, TargetParts& parts,
                const fs::path& working_directory) {
  const auto* member = std::get_if<BakeAttribute::Texts>(&attribute.member);
  if (!member) return;
  std::vector<std::string> list;
  for (const ordered_json& item : attribute.print(target, working_directory)) {
    if (item.is_string()) {
      list.push_back(item.get<std::string>());
    } else if (attribute.form == AttributeForm::agents) {
      const auto paths = item.value("paths", std::vector<std::string>());
      list.push_back(item.at("id").get<std::string>() + (paths.empty() ? "" : "=" + join(paths, ",")));
    } else {
      std::vector<std::pair<std::string, std::string>> options;
      for (const auto& [key, value] : item.items()) options.emplace_back(key, value.get<std::string>());
      list.push_back(options_text(options));
    }
  }
  parts.*(*member) = std::move(list);
}

}  // namespace kiln
