#pragma once

#include <string_view>

namespace kiln {

// Whether a variable of the environment is a secret of kiln's own: the key that images are signed with, its password,
// the token of a log. Definitions, which may be a stranger's, get none of them.
bool is_own_secret(std::string_view variable);

}  // namespace kiln
