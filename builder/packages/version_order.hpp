#pragma once

#include <string_view>

#include "builder/packages/package.hpp"

namespace kiln {

// Whether a version is older than another of the same package, as near as one order can tell for all ecosystems: epochs
// first ("1:2.0", "1!2.0"), then runs of digits as numbers and runs of letters as words. "~" and what comes before a
// release (rc1, .dev2; of npm all behind "-") is older than the end of a version; of equal ones neither is.
bool is_older_version(Ecosystem ecosystem, std::string_view a, std::string_view b);

}  // namespace kiln
