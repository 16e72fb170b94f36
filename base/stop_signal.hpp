#pragma once

namespace kiln {

// The signal that asked this process to stop, for waits that no token is handed to: those for locks. The program's
// signal handler notes it, and it stays. Any thread.
void note_stop_signal(int number) noexcept;  // may be called by a signal handler
int stop_signal() noexcept;                  // 0: none came

}  // namespace kiln
