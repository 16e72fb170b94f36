#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "builder/definitions/json_source.hpp"
#include "builder/definitions/target_parts.hpp"

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

}  // namespace kiln
