#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "builder/definitions/target_spec.hpp"

namespace kiln {

// Whether a variable of the environment is a secret of kiln's own: the key that images are signed with, its password,
// the token of a log. Definitions, which may be a stranger's, get none of them.
bool is_own_secret(std::string_view variable);

// That which a secret of a definition is read from, where it is one of these.
std::optional<std::string> own_secret_of(const SecretSource& secret);

}  // namespace kiln
