#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "builder/definitions/bake_attributes.hpp"
#include "builder/definitions/json_source.hpp"

namespace kiln {

// Says in `parts` what `value`, which stands at `pointer`, says of an attribute.
void read_attribute(const JsonSource& source, const BakeAttribute& attribute, const nlohmann::json& value,
                    const std::string& pointer, TargetParts& parts);

}  // namespace kiln
