#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "builder/definitions/hcl/value.hpp"

namespace kiln::hcl {

// format()'s verbs, as go-cty has them: %v %t %b %d %o %x %X %e %E %f %g %G %s %q %%, with flags, width, precision and
// %[N]. ValueError for another verb, an argument that is not there or does not fit, and arguments that are left over.
std::string format_values(std::string_view format, const std::vector<Value>& arguments);

// Characters as people count them: combining marks belong to what they stand on.
std::vector<std::string_view> characters_of(std::string_view text);

}  // namespace kiln::hcl
