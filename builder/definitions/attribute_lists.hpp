#pragma once

#include <string>
#include <utility>
#include <vector>

#include "builder/definitions/bake_attributes.hpp"

namespace kiln {

// "type=registry,ref=...": an object of options as one line of CSV, `type` first.
std::string options_text(const std::vector<std::pair<std::string, std::string>>& options);

// Makes the list that a target has the parts' own, in the form that a bake file says it, for what is to be added to.
void adopt_list(const BakeAttribute& attribute, const TargetSpec& target, TargetParts& parts,
                const fs::path& working_directory);

}  // namespace kiln
