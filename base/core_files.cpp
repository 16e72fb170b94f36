#include "base/core_files.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>

namespace kiln {

void leave_no_core_files() {
  ::prctl(PR_SET_DUMPABLE, 0);
  rlimit limit{};
  if (::getrlimit(RLIMIT_CORE, &limit) != 0) return;
  // A hard limit of 0 can be raised by root alone; others keep 0.
  const rlimit least{1, std::max<rlim_t>(limit.rlim_max, 1)};
  if (::setrlimit(RLIMIT_CORE, &least) == 0) return;
  limit.rlim_cur = 0;
  ::setrlimit(RLIMIT_CORE, &limit);
}

}  // namespace kiln
