#include "base/block_signals.hpp"

#include <pthread.h>
#include <signal.h>

namespace kiln {

void block_signals() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace kiln
