#include "builder/definitions/layer_rules.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

#include "base/error.hpp"
#include "base/text.hpp"

namespace kiln {

LayerRules layer_rules_from_json(const nlohmann::json& value) {
  LayerRules rules = parse_layer_rules(value.at("by").get<std::string>());
  rules.limit = value.value("limit", rules.limit);
  return rules;
}

LayerRules parse_layer_rules(std::string_view text) {
  if (text == "step") return {LayerRules::By::step};
  if (text == "package") return {LayerRules::By::package};
  throw Error(Category::usage, fmt::format("--layers '{}': expected 'step' or 'package'", printable(text)));
}

}  // namespace kiln
