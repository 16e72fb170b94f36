#include "base/file_lock.hpp"

#include <doctest/doctest.h>
#include <signal.h>

#include <chrono>
#include <thread>

#include "base/error.hpp"
#include "base/stop_signal.hpp"
#include "base/temp_dir.hpp"
#include "tests/support/check_error.hpp"
#include "tests/support/error_of.hpp"
#include "tests/support/forked_child.hpp"

using namespace kiln;

TEST_CASE("an exclusive lock excludes everybody, shared ones share") {
  const TempDir folder;
  const fs::path path = folder.path() / "lock";
  {
    const FileLock mine = FileLock::acquire(path, LockMode::exclusive);
    CHECK_FALSE(FileLock::try_acquire(path, LockMode::exclusive));
    CHECK_FALSE(FileLock::try_acquire(path, LockMode::shared));
  }
  const FileLock shared = FileLock::acquire(path, LockMode::shared);
  CHECK(FileLock::try_acquire(path, LockMode::shared));
  CHECK_FALSE(FileLock::try_acquire(path, LockMode::exclusive));
  CHECK(fs::exists(path));
}

TEST_CASE("the lock of a killed process is released") {
  const TempDir folder;
  const fs::path path = folder.path() / "lock";
  ForkedChild child([&](ForkedChild::Link& link) {
    const FileLock lock = FileLock::acquire(path, LockMode::exclusive);
    link.say("locked");
    link.hear();
    return 0;
  });
  REQUIRE(child.hear() == "locked");
  CHECK_FALSE(FileLock::try_acquire(path, LockMode::exclusive));
  child.kill();
  child.wait();
  CHECK(FileLock::try_acquire(path, LockMode::exclusive));
}

TEST_CASE("a wait for a lock ends soon after the process is asked to stop, and not before others had their moment") {
  const TempDir folder;
  const fs::path path = folder.path() / "lock";
  ForkedChild holder([&](ForkedChild::Link& link) {
    const FileLock lock = FileLock::acquire(path, LockMode::exclusive);
    link.say("locked");
    link.hear();
    return 0;
  });
  REQUIRE(holder.hear() == "locked");
  // The request stays, so it is a child's.
  ForkedChild child([&](ForkedChild::Link& link) {
    std::thread request([] {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      note_stop_signal(SIGTERM);
    });
    link.say(error_of([&] { FileLock::acquire(path, LockMode::shared); }));
    request.join();
    link.hear();
    link.say("locks: " + error_of([&] { FileLock::acquire(path, LockMode::exclusive); }));
    return 0;
  });
  CHECK(child.hear() == "cancelled: stopped on request");
  child.say("again");
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  holder.say("enough");
  CHECK(child.hear() == "locks: ");
  CHECK(child.wait() == 0);
  CHECK(holder.wait() == 0);
}

TEST_CASE("a lock in a folder that is not there is an error that names it") {
  const TempDir folder;
  CHECK_ERROR(FileLock::acquire(folder.path() / "absent/lock", LockMode::shared), Category::machine,
              doctest::Contains("absent/lock"));
}
