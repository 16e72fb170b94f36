#include "builder/cli/commands/failure_shell.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "base/text.hpp"
#include "builder/cli/exit_code.hpp"
#include "builder/run/terminal_session.hpp"

namespace kiln::cli {

bool wants_failure_shell(const std::string& on_error) {
  if (on_error.empty()) return false;
  if (on_error != "shell")
    throw Error(Category::usage, fmt::format("--on-error '{}': expected shell", printable(on_error)));
  if (!is_terminal(STDIN_FILENO, STDERR_FILENO)) {
    throw Error(Category::usage,
                "--on-error=shell: standard input or standard error is no terminal, so the shell could not be used; "
                "leave the flag out, or run kiln in a terminal");
  }
  return true;
}

void open_failure_shell(const Error& error, std::unique_ptr<FailedRun> failed, Workshop& shop) {
  if (!failed) {
    fmt::print(stderr, "no shell is opened: what failed is not the command of a RUN\n");
    return;
  }
  fmt::print(stderr, "{}", error_text(error));
  fmt::print(stderr, "This is '{}' as the command left its files. 'exit' ends the build; nothing of this is kept.\n",
             join(failed->shell, " "));
  try {
    failed->open_shell(shop.runner(), shop.home(), STDIN_FILENO, STDERR_FILENO, shop.cancel());
  } catch (const Error& problem) {
    if (problem.category() == Category::cancelled) throw;
    fmt::print(stderr, "no shell could be opened: {}\n", problem.message());
  }
}

}  // namespace kiln::cli
