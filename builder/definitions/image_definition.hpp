#pragma once

#include <optional>
#include <string>
#include <vector>

#include "builder/definitions/fleet.hpp"
#include "builder/definitions/json_source.hpp"

namespace kiln {

// One image.json, before profiles are applied: `target` has no name and no profile yet.
struct ImageDefinition {
  JsonSource source;
  TargetSpec target;
  std::optional<std::vector<std::string>> profiles;  // nullopt: not said
  bool is_default = true;
};

// Reads and checks FILE by images/schema/image.schema.json and by what a schema cannot say: that paths exist, and that
// nothing is said which has no meaning. Error{usage} "FILE:LINE: ...".
ImageDefinition read_image_definition(const fs::path& file, const FleetSettings& settings);

}  // namespace kiln
