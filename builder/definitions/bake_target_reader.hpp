#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "builder/definitions/bake_attributes.hpp"
#include "builder/definitions/json_source.hpp"

namespace kiln {

// A target of a bake file with its variables evaluated, before it inherits anything.
struct BakeTarget {
  std::string name;
  std::vector<std::string> inherits;
  TargetParts parts;
  std::string pointer;  // of its block
};

// Reads the attributes of one target (name, matrix excepted). `block` is evaluated; places in messages are those of
// `pointer`.
BakeTarget read_bake_target(const JsonSource& source, const std::string& name, const nlohmann::json& block,
                            const std::string& pointer);

// Says in `parts` what `value`, which stands at `pointer`, says of an attribute.
void read_attribute(const JsonSource& source, const BakeAttribute& attribute, const nlohmann::json& value,
                    const std::string& pointer, TargetParts& parts);

}  // namespace kiln
