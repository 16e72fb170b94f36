#include "base/file_lock.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "tests/support/check_error.hpp"
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

TEST_CASE("a lock in a folder that is not there is an error that names it") {
  const TempDir folder;
  CHECK_ERROR(FileLock::acquire(folder.path() / "absent/lock", LockMode::shared), Category::machine,
              doctest::Contains("absent/lock"));
}
