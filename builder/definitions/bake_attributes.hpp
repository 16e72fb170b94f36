#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "builder/definitions/target_parts.hpp"

namespace kiln {

// How an attribute's value is written where it is a list.
enum class AttributeForm {
  plain,  // texts
  options,

}  // namespace kiln
