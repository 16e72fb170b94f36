#pragma once

#include <map>
#include <optional>
#include <string>

#include "builder/definitions/compose/model.hpp"

namespace kiln::compose {

using KeyValues = std::map<std::string, std::optional<std::string>>;  // nullopt: a key without a value

// KEY=VALUE of a list, or a mapping.
KeyValues key_values(const Node& node);

// What a service's `environment` and `env_file` come to; build arguments without a value take theirs from it.
struct ServiceEnvironment {
  KeyValues values;
  std::optional<std::string> missing_file;  // one of `env_file` that has to be there, and is not
};

// `environment` goes over the files of `env_file`, and a later one of these over an earlier one. Error{usage} for a
// file that cannot be read, has an unknown format, or leads out of the folder that the definitions were fetched to.
ServiceEnvironment service_environment(const Node& service, const ComposeOptions& options, const Lookup& variables);

}  // namespace kiln::compose
