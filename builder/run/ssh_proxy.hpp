#pragma once

#include "builder/run/run_request.hpp"

namespace kiln {

// Listens on a socket of its own at `place`, with the owner and mode asked for, and joins each connection to the agent.
// The agent's own socket belongs to another user, whom it may refuse. A child process does it until it is killed; for a
// worker's single thread.
void start_ssh_proxy(const SshSource& source, const fs::path& place);

}  // namespace kiln
