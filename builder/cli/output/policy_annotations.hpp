#pragma once

#include <string>
#include <vector>

#include "builder/policy/finding.hpp"

namespace kiln::cli {

// A path as it is in the repository that the working directory is in; one of elsewhere, and where there is no
// repository, stays as it is.
std::string path_in_repository(const std::string& path);
std::vector<PolicyFinding> in_repository(std::vector<PolicyFinding> findings);

// Writes findings to standard error as workflow commands where GITHUB_ACTIONS says that GitHub reads it.
void annotate_findings(const std::vector<PolicyFinding>& findings);

}  // namespace kiln::cli
