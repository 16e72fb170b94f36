#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "builder/definitions/compose/yaml.hpp"

namespace kiln::compose {

using Lookup = std::function<std::optional<std::string>(const std::string&)>;

// A text with its variables put in, as the Compose specification says: $NAME, ${NAME}, ${NAME:-x}, ${NAME-x},
// ${NAME:?x}, ${NAME?x}, ${NAME:+x}, ${NAME+x}, variables in these again, and $$ for a dollar. Error{usage} for a `?`
// that is not met and for a `${` that is none of these. `unset` collects the names that count as empty because they are
// not set and have no default.
std::string interpolate(std::string_view text, const Lookup& lookup, std::set<std::string>* unset = nullptr);
// The same for every text of a tree; keys stay as they are.
void interpolate_all(Node& node, const std::string& file, const Lookup& lookup, std::set<std::string>* unset = nullptr);

// The variables of a .env file; quotes, escapes, `export` and comments as Compose reads them. Variables in unquoted and
// double-quoted values are put in, from `lookup` and from the lines above. Error{usage} "NAME:LINE: ...".
std::map<std::string, std::string> parse_env_file(const std::string& name, std::string_view text, const Lookup& lookup);

}  // namespace kiln::compose
