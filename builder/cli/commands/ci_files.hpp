#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kiln::embedded {
// workflows/ of kiln's sources; made by cmake/embed_text.cmake.
std::string_view caller_workflow_text();
std::string_view fleet_workflow_text();
std::string_view wave_workflow_text();
std::string_view comment_workflow_text();
std::string_view action_text();
std::string_view action_script_text();
}  // namespace kiln::embedded

namespace kiln::cli {

// A file that 'kiln ci init' writes.
struct CiFile {
  std::string path;  // in the repository: ".github/workflows/kiln-fleet.yml"
  std::string text;
  bool is_users = false;  // written once, the user's to change from then on
  bool is_executable = false;
};

// All of them, for this version of kiln.
std::vector<CiFile> ci_files();

}  // namespace kiln::cli
