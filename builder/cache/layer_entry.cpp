#include "builder/cache/layer_entry.hpp"

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/json.hpp"

namespace kiln {

std::string serialise_layer_entry(const LayerValue& layer) { return json_text(to_json(layer)); }

std::optional<LayerValue> parse_layer_entry(std::string_view content) {
  try {
    constexpr std::string_view kWhere = "entry of a layer";
    return layer_value_from_json(parse_json(content, kWhere, Category::network), kWhere);
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace kiln
