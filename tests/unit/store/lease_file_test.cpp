#include "registry/store/lease_file.hpp"

#include <doctest/doctest.h>

#include <future>

#include "base/atomic_file.hpp"
#include "tests/support/forked_child.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace kiln;

TEST_CASE_FIXTURE(StoreFixture, "a lease is in the process's file at once, and once") {
  const oci::Digest digest = oci::sha256_of("used");
  store.lease(digest);
  store.lease(digest);
  const auto files = list_directory(home.leases());
  REQUIRE(files.size() == 1);
  CHECK(read_file(home.leases() / files[0]) == digest.str() + "\n");
}

TEST_CASE("the lease file goes with the store object") {
  const TempDir folder;
  const HomeLayout home = HomeLayout::open(folder.path());
  { const ContentStore store(home); }
  CHECK(list_directory(home.leases()).empty());
}

TEST_CASE_FIXTURE(StoreFixture, "the lease file of a killed process counts no more and is removed") {
  const oci::Digest digest = oci::sha256_of("used by the dead");
  ForkedChild child([&](ForkedChild::Link& link) {
    ContentStore own(home);
    own.lease(digest);
    link.say("leased");
    link.hear();
    return 0;
  });
  REQUIRE(child.hear() == "leased");
  {
    const FileLock gate = close_leases(home);
    CHECK(read_leases(home).count(digest) == 1);
  }
  child.kill();
  child.wait();
  const FileLock gate = close_leases(home);
  CHECK(read_leases(home).count(digest) == 0);
  CHECK(list_directory(home.leases()).size() == 1);  // this process's own
}

TEST_CASE_FIXTURE(StoreFixture, "a lease waits for a collection under way, so that has() after it tells the truth") {
  std::optional<FileLock> gate = close_leases(home);
  auto leasing = std::async(std::launch::async, [&] { store.lease(oci::sha256_of("late")); });
  CHECK(leasing.wait_for(std::chrono::milliseconds(50)) == std::future_status::timeout);
  CHECK(read_leases(home).empty());
  gate.reset();
  leasing.get();
  const FileLock again = close_leases(home);
  CHECK(read_leases(home).size() == 1);
}

TEST_CASE_FIXTURE(StoreFixture, "garbage in a lease file is ignored, line by line") {
  const oci::Digest digest = oci::sha256_of("good");
  const fs::path path = home.leases() / "1-00";
  write_file_atomically(path, "nonsense\n" + digest.str() + "\nsha256:abc");
  const FileLock alive = FileLock::acquire(path, LockMode::exclusive);
  const FileLock gate = close_leases(home);
  CHECK(read_leases(home) == std::set<oci::Digest>{digest});
}
