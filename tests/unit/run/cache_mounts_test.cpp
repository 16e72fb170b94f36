#include "builder/run/cache_mounts.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <future>
#include <thread>

#include "base/atomic_file.hpp"
#include "base/error.hpp"
#include "base/temp_dir.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;

namespace {

struct Fixture {
  TempDir top;
  HomeLayout home = HomeLayout::open(top.path() / "home");
  CacheMounts caches{home};
  CancelToken cancel;
  CacheMountName name{"pip", 0755, static_cast<std::uint32_t>(::getuid()), static_cast<std::uint32_t>(::getgid())};
};

}  // namespace

TEST_CASE("a cache's folder is named by id, owner and mode") {
  const CacheMountName name{"/root/.cache/pip", 0755, 0, 0};
  CHECK(CacheMounts::folder_name(name) == "c0e4da013219ac1c919dc97851d394c3");
  CacheMountName other = name;
  other.uid = 1000;
  CHECK(CacheMounts::folder_name(other) != CacheMounts::folder_name(name));
  other = name;
  other.gid = 1000;
  CHECK(CacheMounts::folder_name(other) != CacheMounts::folder_name(name));
  other = name;
  other.mode = 0700;
  CHECK(CacheMounts::folder_name(other) != CacheMounts::folder_name(name));
  other = name;
  other.id = "pip";
  CHECK(CacheMounts::folder_name(other) != CacheMounts::folder_name(name));
}

TEST_CASE("a cache keeps what was written, with the mode asked for") {
  Fixture f;
  f.name.mode = 01777;
  fs::path folder;
  {
    const auto lease = f.caches.acquire(f.name, CacheMountSharing::shared, f.cancel);
    folder = lease.folder();
    struct stat status {};
    REQUIRE(::stat(folder.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 01777);
    write_file_atomically(folder / "kept", "x");
  }
  const auto again = f.caches.acquire(f.name, CacheMountSharing::locked, f.cancel);
  CHECK(again.folder() == folder);
  CHECK(read_file(again.folder() / "kept") == "x");
}

TEST_CASE("shared caches are used at the same time, private ones get a folder each") {
  Fixture f;
  const auto one = f.caches.acquire(f.name, CacheMountSharing::shared, f.cancel);
  const auto two = f.caches.acquire(f.name, CacheMountSharing::shared, f.cancel);
  CHECK(one.folder() == two.folder());
  const auto three = f.caches.acquire(f.name, CacheMountSharing::private_, f.cancel);
  const auto four = f.caches.acquire(f.name, CacheMountSharing::private_, f.cancel);
  CHECK(three.folder() != one.folder());
  CHECK(four.folder() != three.folder());
}

TEST_CASE("a locked cache is waited for, and the wait can be stopped") {
  Fixture f;
  std::optional<CacheMountLease> first = f.caches.acquire(f.name, CacheMountSharing::locked, f.cancel);
  auto second = std::async(std::launch::async,
                           [&] { return f.caches.acquire(f.name, CacheMountSharing::locked, f.cancel).folder(); });
  CHECK(second.wait_for(std::chrono::milliseconds(150)) == std::future_status::timeout);
  const fs::path folder = first->folder();
  first.reset();
  CHECK(second.get() == folder);

  first = f.caches.acquire(f.name, CacheMountSharing::shared, f.cancel);
  auto third = std::async(std::launch::async, [&] { f.caches.acquire(f.name, CacheMountSharing::locked, f.cancel); });
  f.cancel.cancel(SIGTERM);
  CHECK(error_of([&] { third.get(); }) == "cancelled: stopped on request");
}

TEST_CASE("a cache that one RUN names twice is taken once, as the first of them says") {
  for (const auto sharing : {CacheMountSharing::locked, CacheMountSharing::shared, CacheMountSharing::private_}) {
    for (const auto second : {CacheMountSharing::locked, CacheMountSharing::shared, CacheMountSharing::private_}) {
      Fixture f;
      CacheMountName other = f.name;
      other.id = "apt";
      // Where it waits for itself, the test ends all the same.
      auto taking = std::async(std::launch::async, [&] {
        return f.caches.acquire_all({{f.name, sharing}, {other, second}, {f.name, second}}, f.cancel);
      });
      if (taking.wait_for(std::chrono::seconds(10)) != std::future_status::ready) f.cancel.cancel(SIGTERM);
      auto leases = taking.get();
      REQUIRE(leases.size() == 3);
      CHECK(leases[0]->folder() == leases[2]->folder());
      CHECK(leases[1]->folder() != leases[0]->folder());
      CHECK_FALSE(f.caches.try_lock(f.name));
      leases.clear();
      CHECK(f.caches.try_lock(f.name));
    }
  }
}

TEST_CASE("RUNs that lock the same caches in other orders do not wait for one another") {
  Fixture f;
  CacheMountName other = f.name;
  other.id = "apt";
  const WantedCacheMount pip{f.name, CacheMountSharing::locked};
  const WantedCacheMount apt{other, CacheMountSharing::locked};
  // Whoever takes the first of them waits for the second, which is not free: nobody holds the second meanwhile.
  for (const auto& wanted : {std::vector{pip, apt}, std::vector{apt, pip}}) {
    const bool is_pip_first = CacheMounts::folder_name(f.name) < CacheMounts::folder_name(other);
    f.caches.acquire_all(wanted, f.cancel);
    std::optional<CacheMountLease> first = f.caches.try_lock(is_pip_first ? f.name : other);
    REQUIRE(first);
    auto taking = std::async(std::launch::async, [&] { return f.caches.acquire_all(wanted, f.cancel).size(); });
    CHECK(taking.wait_for(std::chrono::milliseconds(150)) == std::future_status::timeout);
    CHECK(f.caches.try_lock(is_pip_first ? other : f.name));
    first.reset();
    CHECK(taking.get() == 2);
  }
}

TEST_CASE("a new cache is filled once, and stays new where that failed") {
  Fixture f;
  CHECK(error_of([&] {
          f.caches.acquire(f.name, CacheMountSharing::shared, f.cancel,
                           [](const fs::path&) { throw Error(Category::build, "no"); });
        }) == "build: no");
  int filled = 0;
  const auto fill = [&](const fs::path& folder) {
    ++filled;
    write_file_atomically(folder / "first", "x");
  };
  for (int i = 0; i < 3; ++i) {
    const auto lease = f.caches.acquire(f.name, CacheMountSharing::shared, f.cancel, fill);
    CHECK(fs::exists(lease.folder() / "first"));
  }
  CHECK(filled == 1);
}

TEST_CASE("an id that holds a secret names its cache and stands nowhere") {
  Fixture f;
  f.name.id = "of-hunter2secret";
  CacheMountName masked = f.name;
  masked.masked_id = "of-***";
  CacheMountName other = masked;
  other.id = "of-hunter3secret";
  const fs::path folder = f.caches.acquire(masked, CacheMountSharing::shared, f.cancel).folder();
  const std::string meta = read_file(folder.parent_path() / "meta");
  CHECK(meta.ends_with("\nid of-***\n"));
  CHECK(f.caches.acquire(masked, CacheMountSharing::shared, f.cancel).folder() == folder);
  CHECK(f.caches.acquire(f.name, CacheMountSharing::shared, f.cancel).folder() == folder);
  CHECK(f.caches.acquire(other, CacheMountSharing::shared, f.cancel).folder() != folder);
  for (const CacheMountInfo& info : f.caches.disk_usage()) CHECK(info.name.id == "of-***");
}

TEST_CASE("an id that was written before it was known to hold a secret is masked by the next use") {
  Fixture f;
  f.name.id = "of-hunter2secret";
  f.caches.acquire(f.name, CacheMountSharing::shared, f.cancel);
  CHECK(f.caches.disk_usage().at(0).name.id == "of-hunter2secret");
  f.name.masked_id = "of-***";
  f.caches.acquire(f.name, CacheMountSharing::shared, f.cancel);
  REQUIRE(f.caches.disk_usage().size() == 1);
  CHECK(f.caches.disk_usage().at(0).name.id == "of-***");
}

TEST_CASE("disk usage names every cache, and prune leaves those in use") {
  Fixture f;
  CacheMountName other = f.name;
  other.id = "apt\nid with a line end";
  std::optional<CacheMountLease> used = f.caches.acquire(f.name, CacheMountSharing::shared, f.cancel);
  write_file_atomically(f.caches.acquire(other, CacheMountSharing::shared, f.cancel).folder() / "big",
                        std::string(100'000, 'x'));
  auto usage = f.caches.disk_usage();
  REQUIRE(usage.size() == 2);
  for (const CacheMountInfo& info : usage) {
    CHECK((info.name.id == "pip" || info.name.id == other.id));
    CHECK(info.in_use == (info.name.id == "pip"));
  }
  CHECK(f.caches.prune([](const CacheMountInfo&) { return true; }) == 0);
  CHECK(f.caches.prune([](const CacheMountInfo&) { return false; }) >= 100'000);
  usage = f.caches.disk_usage();
  REQUIRE(usage.size() == 1);
  CHECK(usage.front().name.id == "pip");
  used.reset();
  f.caches.prune([](const CacheMountInfo&) { return false; });
  CHECK(f.caches.disk_usage().empty());
}
