#pragma once

namespace kiln {

// For a thread beside the main one: signals that end or stop the program are the main thread's to take, and none that a
// library raises (SIGPIPE of OpenSSL's writing to a socket) may end it.
void block_signals();

}  // namespace kiln
