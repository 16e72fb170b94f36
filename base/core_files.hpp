#pragma once

namespace kiln {

// A core file holds what a process knew: passwords, tokens, the secrets of a build. Keeps this process from leaving
// one, whatever the caller's limit and the machine's core_pattern are, and keeps other processes of the same user from
// reading its memory.
//
// Two means, since each leaves a gap (core(5), prctl(2)):
// - "Not dumpable" holds for every core_pattern, and ends with the next execve(). Entering a user namespace sets it to
//   fs.suid_dumpable, by which some machines do write cores: call this again then.
// - A soft limit of 1 byte is inherited by git, credential helpers, the container's runtime and RUN. It is less than
//   any core file may have, and the one value that a core_pattern of a program ("|...") heeds too: 0 it does not. The
//   hard limit stays, so `--ulimit core=` still gives a RUN what it asks for.
void leave_no_core_files();

}  // namespace kiln
