#pragma once

#include <string>
#include <vector>

#include "base/log.hpp"
#include "builder/build/build_request.hpp"
#include "builder/cli/words/arguments.hpp"

namespace kiln::cli {

// --network-log and --network-unrecorded of 'kiln build' and 'kiln bake'; docs/network.md.
struct NetworkLogWords {
  bool log = false;
  std::vector<std::string> unrecorded;

  void add_to(Arguments& command);
  // Error{usage} for a host that is none. What changes nothing is told.
  void apply_to(BuildRequest& request, Log& log) const;
};

}  // namespace kiln::cli
