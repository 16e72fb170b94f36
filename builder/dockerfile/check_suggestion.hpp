#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kiln::dockerfile {

// " (did you mean PREFIXname?)" for the candidate at most two edits away, as BuildKit's messages end; else
// nothing.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates, std::string_view prefix);

}  // namespace kiln::dockerfile
