#pragma once

#include "base/fd.hpp"
#include "builder/run/run_request.hpp"

namespace kiln {

// What a RUN may ask of an agent (draft-miller-ssh-agent): which identities it has, and to sign with them. All else is
// answered by SSH_AGENT_FAILURE and never reaches the agent, which would add and remove keys or load libraries for it;
// BuildKit's agent is as narrow. One message at a time, so that answers keep their order. Returns when either end has
// closed, or sent a message that is empty or longer than 256 KiB.
void serve_agent_client(const Fd& client, const Fd& agent);

// Listens on a socket of its own at `place`, with the owner and mode asked for, and serves each connection as above.
// The agent's own socket belongs to another user, whom it may refuse. A child process does it until it is killed; for a
// worker's single thread.
void start_ssh_proxy(const SshSource& source, const fs::path& place);

}  // namespace kiln
