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

// What becomes of variables that are not set.
struct UnsetVariables {
  std::set<std::string>* empty = nullptr;  // collects the names that count as empty
  std::optional<std::string> needed_one =
      std::nullopt;  // the value where `?` asks for one; without it that is an Error
};

// A text with its variables put in, as the Compose specification says: $NAME, ${NAME}, ${NAME:-x}, ${NAME-x},
// ${NAME:?x}, ${NAME?x}, ${NAME:+x}, ${NAME+x}, variables in these again, and $$ for a dollar. Error{usage} for a `?`
// that is not met and for a `${` that is none of these; it shows nothing of the text, which may hold a secret.
std::string interpolate(std::string_view text, const Lookup& lookup, const UnsetVariables& unset = {});
// The same for a text of a tree, whose place is in the Error then.
std::string interpolate(const Node& node, const Lookup& lookup, const UnsetVariables& unset = {});
// The same for every text of a tree; keys stay as they are.
void interpolate_all(Node& node, const Lookup& lookup, const UnsetVariables& unset = {});

// Adds the variables of a file such as .env to `values`; quotes, escapes, `export` and comments as Compose reads them.
// Variables in unquoted and double-quoted values are put in, from `lookup` and from what `values` has. Error{usage}
// "NAME:LINE:COLUMN: ..." without the line, which may hold a secret.
void read_env_file(const std::string& name, std::string_view text, const Lookup& lookup,
                   std::map<std::string, std::string>& values);

// What `outer` says, else what is in `values`.
Lookup with_defaults(Lookup outer, std::map<std::string, std::string> values);

}  // namespace kiln::compose
