#include "base/core_files.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "base/temp_dir.hpp"

using namespace kiln;

namespace {

// The status of a child, in a folder of its own, whose limit for core files is `limit`.
int status_of_child(const rlimit& limit, const std::function<int()>& body) {
  const TempDir folder(fs::temp_directory_path(), "core-");
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::setrlimit(RLIMIT_CORE, &limit) != 0 || ::chdir(folder.path().c_str()) != 0) ::_exit(70);
    ::signal(SIGSEGV, SIG_DFL);
    ::_exit(body());
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return status;
}

rlim_t hard_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_CORE, &limit);
  return limit.rlim_max;
}

int crash() { return ::raise(SIGSEGV); }

}  // namespace

TEST_CASE("a process that is to leave no core files is not dumpable, and its children may write none") {
  const rlim_t hard = hard_limit();
  if (hard == 0) return;  // the machine allows none; the case below is this one's
  const int status = status_of_child({hard, hard}, [hard] {
    leave_no_core_files();
    rlimit limit{};
    ::getrlimit(RLIMIT_CORE, &limit);
    return ::prctl(PR_GET_DUMPABLE) == 0 && limit.rlim_cur == 1 && limit.rlim_max == hard ? 0 : 1;
  });
  CHECK(status == 0);
}

TEST_CASE(
    "where no core file is allowed at all none is, whether the limit can be raised to what programs heed or not") {
  const int status = status_of_child({0, 0}, [] {
    leave_no_core_files();
    rlimit limit{};
    ::getrlimit(RLIMIT_CORE, &limit);
    return ::prctl(PR_GET_DUMPABLE) == 0 && limit.rlim_cur <= 1 && limit.rlim_max == limit.rlim_cur ? 0 : 1;
  });
  CHECK(status == 0);
}

TEST_CASE("each of the two means alone keeps a crash from leaving a core file") {
  const rlim_t hard = hard_limit();
  const auto dumped = [hard](const std::function<void()>& before) {
    const int status = status_of_child({hard, hard}, [&before] {
      before();
      return crash();
    });
    REQUIRE(WIFSIGNALED(status));
    return WCOREDUMP(status);
  };
  CHECK_FALSE(dumped([] { leave_no_core_files(); }));
  CHECK_FALSE(dumped([] {
    leave_no_core_files();
    ::prctl(PR_SET_DUMPABLE, 1);
  }));
  CHECK_FALSE(dumped([hard] {
    leave_no_core_files();
    const rlimit limit{hard, hard};
    ::setrlimit(RLIMIT_CORE, &limit);
  }));
}
