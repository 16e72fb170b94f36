#pragma once

#include <string_view>

#include "builder/packages/package.hpp"

namespace kiln {

// How two versions of one package compare: less than 0, 0, more than 0. Debian's, Python's, npm's and Go's by the rules
// of version_schemes.hpp. Those of apk and conda, and what is no version by these rules, by one order that is near to
// all of them: epochs first ("1:2.0", "1!2.0"), then runs of digits as numbers and runs of letters as words; "~" and
// what comes before a release (rc1, .dev2) is older than the end of a version.
int compare_versions(Ecosystem ecosystem, std::string_view a, std::string_view b);
// Whether `a` comes before `b`; of equal ones neither does.
bool is_older_version(Ecosystem ecosystem, std::string_view a, std::string_view b);

}  // namespace kiln
