#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.hpp"
#include "base/fd.hpp"
#include "base/file.hpp"

namespace kiln {

struct Command {
  std::vector<std::string> argv;                        // argv[0] is looked up on PATH
  std::optional<std::vector<std::string>> environment;  // "K=V"; nullopt: inherited
  std::optional<fs::path> working_directory;            // nullopt: inherited
  std::string stdin_bytes;                              // written to its standard input, then closed
  std::uint64_t most_output_bytes = std::numeric_limits<std::uint64_t>::max();  // of both outputs together
};

struct CommandResult {
  int exit_code = 0;  // 128 + signal where it was killed
  std::string stdout_bytes;
  std::string stderr_bytes;
};

// Runs a program to its end and captures both outputs. It leads a process group of its own, dies with the calling
// thread (PR_SET_PDEATHSIG), is ended with its group when `cancel` fires (SIGTERM, 2 s later SIGKILL), and is always
// reaped. `on_output`, where given, sees each piece of either output as it comes; then nothing is captured.
// Error{machine} where it cannot be started, or prints more than it may.
CommandResult run_command(const Command& command, const CancelToken& cancel,
                          const std::function<void(std::string_view)>& on_output = {});

// The full path of a program on PATH (or the path itself where it contains '/'); nullopt where there is none.
std::optional<fs::path> find_program(std::string_view name);

// An environment variable; nullopt where it is not set.
std::optional<std::string> environment_variable(const std::string& name);

}  // namespace kiln
