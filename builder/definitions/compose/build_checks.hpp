#pragma once

#include <string>

#include "builder/definitions/compose/yaml.hpp"

namespace kiln::compose {

// Refuses a `build:` with an unknown key (with the nearest), or with a value of another form than its key takes, which
// would count for nothing. Error{usage} as fail_service().
void check_build(const std::string& service, const Node& build);

// Error{usage} "PLACE: service 'NAME': MESSAGE" with the line.
[[noreturn]] void fail_service(const std::string& service, const hcl::Place& place, std::string_view message);

}  // namespace kiln::compose
