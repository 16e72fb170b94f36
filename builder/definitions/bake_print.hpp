#pragma once

#include <map>
#include <string>
#include <vector>

#include "builder/definitions/fleet.hpp"

namespace kiln {

struct BakePrintOptions {
  fs::path working_directory;                             // contexts below it are printed relative to it
  std::vector<std::string> requested;                     // what the command line named; empty: "default"
  std::map<std::string, std::vector<std::string>> names;  // of a target: the references it is published under
  // Edges that the plan found: of a target, from a name in its Dockerfile to the target that it means.
  std::map<std::string, std::map<std::string, std::string>> edges;
};

// The targets as `docker buildx bake --print` shows them: {"group": {...}, "target": {...}}, sorted, two spaces of
// indentation, a newline at the end. Profile values stand among the args and labels; `${` is written `$${`. A Debian
// root is shown as the context "debian" of kiln's own scheme, kiln-lock://IMAGE.
std::string bake_print(const Fleet& fleet, const std::vector<const TargetSpec*>& targets,
                       const BakePrintOptions& options);

// The targets and groups of image definitions as `--list` shows those of bake files; `what` as in bake::list_config().
// Error{usage} for other words.
std::string list_fleet(const Fleet& fleet, const std::string& what);

}  // namespace kiln
