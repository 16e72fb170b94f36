#pragma once

#include <memory>
#include <string>
#include <vector>

#include "builder/run/run_request.hpp"
#include "builder/run/runner.hpp"
#include "builder/run/snapshot_store.hpp"

namespace kiln {

// A RUN whose command failed, with all it had: the root file system as the command left it, mounts, environment, user.
// It holds on to them and removes what was written at its end: nothing of it ever becomes a layer.
struct FailedRun {
  RunRequest request;
  std::vector<std::string> shell;  // what to open in it
  SnapshotChain lowers;
  SnapshotUpper upper;
  std::shared_ptr<void> mounts;  // keeps what the request's mounts refer to

  // Opens the shell on a terminal (see run_on_terminal()) and waits for its end. Error{build} where the image has none.
  RunResult open_shell(Runner& runner, const HomeLayout& home, int input, int output, const CancelToken& cancel) const;
};

// The program of a SHELL instruction without the words that make it execute a script: "/bin/bash" of "/bin/bash -eo
// pipefail -c".
std::vector<std::string> interactive_shell(const std::vector<std::string>& shell);

}  // namespace kiln
