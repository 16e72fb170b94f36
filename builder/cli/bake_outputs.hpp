#pragma once

#include <optional>
#include <string>
#include <vector>

#include "builder/cli/build_session.hpp"
#include "builder/definitions/fleet.hpp"
#include "builder/definitions/output.hpp"

namespace kiln::cli {

// The outputs of each target, in the order of the targets, whose images get `names`. Error{usage} that names the target
// for what a bake cannot write: to standard output, where its report goes, or with a compression and the like of an
// output's own, which the fleet decides.
std::vector<std::vector<Output>> bake_outputs(const std::vector<const TargetSpec*>& targets,
                                              const std::vector<std::vector<std::string>>& names);

// Writes what was built as each target's outputs say. Images have their names in the store already and, with --push
// (`is_pushed`), at their registries. `mtime` as for write_output().
void write_bake_outputs(BuildSession& session, const std::vector<BuiltImage>& images,
                        const std::vector<std::vector<std::string>>& names,
                        const std::vector<std::vector<Output>>& outputs, bool is_pushed,
                        std::optional<UnixSeconds> mtime);

}  // namespace kiln::cli
