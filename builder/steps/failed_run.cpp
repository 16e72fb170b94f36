#include "builder/steps/failed_run.hpp"

#include <algorithm>

#include "base/file.hpp"
#include "base/process.hpp"
#include "builder/run/terminal_session.hpp"

namespace kiln {

std::vector<std::string> interactive_shell(const std::vector<std::string>& shell) {
  const auto end =
      std::find_if(shell.begin(), shell.end(), [](const std::string& word) { return word.starts_with('-'); });
  if (end == shell.begin()) return {"/bin/sh"};
  return {shell.begin(), end};
}

RunResult FailedRun::open_shell(Runner& runner, const HomeLayout& home, int input, int output,
                                const CancelToken& cancel) const {
  // overlayfs refuses a work folder of an earlier volatile mount; what was written through writable binds is thrown
  // away.
  for (const fs::path& folder : {request.upper.work, request.upper.scratch}) {
    remove_tree(folder);
    make_directories(folder);
  }
  RunRequest interactive = request;
  interactive.argv = shell;
  const bool has_term = std::any_of(interactive.env.begin(), interactive.env.end(),
                                    [](const std::string& variable) { return variable.starts_with("TERM="); });
  if (const auto term = environment_variable("TERM"); term && !has_term) interactive.env.push_back("TERM=" + *term);
  return run_on_terminal(runner, home, std::move(interactive), input, output, cancel);
}

}  // namespace kiln
