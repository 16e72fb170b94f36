#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace kiln {

// How what a RUN wrote becomes layers: as it is, or cut along the packages that it installed, for which see
// docs/layers.md.
struct LayerRules {
  enum class By { step, package };
  static constexpr int kDefaultLimit = 64;

  By by = By::step;
  int limit = kDefaultLimit;  // by package: of the image's layers, those of its bases counted

  bool operator==(const LayerRules&) const = default;
};

// "layers" of a definition, which its schema has checked.
LayerRules layer_rules_from_json(const nlohmann::json& value);
// "step" or "package", of --layers. Error{usage} for anything else.
LayerRules parse_layer_rules(std::string_view text);

}  // namespace kiln
