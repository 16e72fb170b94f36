#include "builder/cli/output/policy_annotations.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "base/file.hpp"
#include "base/process.hpp"
#include "builder/policy/findings_output.hpp"

namespace kiln::cli {

namespace {

// The nearest folder above with a .git; empty where there is none.
fs::path repository_root(fs::path folder) {
  std::error_code failure;
  while (true) {
    if (fs::exists(folder / ".git", failure)) return folder;
    if (folder == folder.root_path()) return {};
    folder = folder.parent_path();
  }
}

}  // namespace

std::string path_in_repository(const std::string& path) {
  std::error_code failure;
  const fs::path here = fs::current_path(failure);
  if (failure || path.empty()) return path;
  const fs::path root = repository_root(here);
  if (root.empty()) return path;
  const fs::path relative = (here / path).lexically_normal().lexically_relative(root);
  return relative.empty() || *relative.begin() == ".." ? path : relative.string();
}

std::vector<PolicyFinding> in_repository(std::vector<PolicyFinding> findings) {
  for (PolicyFinding& finding : findings) finding.place.file = path_in_repository(finding.place.file);
  return findings;
}

void annotate_findings(const std::vector<PolicyFinding>& findings) {
  if (environment_variable("GITHUB_ACTIONS").value_or("") != "true") return;
  fmt::print(stderr, "{}", findings_annotations(in_repository(findings)));
}

}  // namespace kiln::cli
