#include "builder/store_care/disk_usage.hpp"

#include <doctest/doctest.h>

#include "tests/unit/store_care/storage_fixture.hpp"

using namespace kiln;

namespace {

struct Fixture : StorageFixture {
  std::map<StoreItemKind, std::vector<StoreItem>> by_kind() {
    std::map<StoreItemKind, std::vector<StoreItem>> kinds;
    for (StoreItem& item : disk_usage(store, snapshots, mounts)) kinds[item.kind].push_back(std::move(item));
    return kinds;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "each blob counts once, under what keeps it") {
  step('a', "one", 1000);
  {
    ContentStore other(home);
    other.put("pulled", "application/octet-stream");
  }
  auto kinds = by_kind();
  REQUIRE(kinds[StoreItemKind::step].size() == 1);
  CHECK(kinds[StoreItemKind::step][0].id == blob(0).str());
  CHECK(kinds[StoreItemKind::step][0].description == "COPY a");
  REQUIRE(kinds[StoreItemKind::file_index].size() == 1);
  CHECK(kinds[StoreItemKind::file_index][0].id == layers[0].index->digest.str());
  REQUIRE(kinds[StoreItemKind::base].size() == 1);
  CHECK(kinds[StoreItemKind::base][0].bytes == 6);
  CHECK(kinds.count(StoreItemKind::image) == 0);
}

TEST_CASE_FIXTURE(Fixture, "temporary files and what a killed writer left are temporary") {
  write_file_atomically(home.tmp() / "blob-1-1", "12345");
  write_file_atomically(home.builds() / ".x.json.1.0.tmp", "123");
  auto kinds = by_kind();
  REQUIRE(kinds[StoreItemKind::temporary].size() == 2);
  CHECK(kinds[StoreItemKind::temporary][0].bytes + kinds[StoreItemKind::temporary][1].bytes == 8);
}

TEST_CASE_FIXTURE(Fixture, "a cache mount is known by its id") {
  { const auto lease = mounts.acquire({"wheels", 0755, ::getuid(), ::getgid()}, CacheMountSharing::shared, {}); }
  auto kinds = by_kind();
  REQUIRE(kinds[StoreItemKind::cache_mount].size() == 1);
  CHECK(kinds[StoreItemKind::cache_mount][0].description == "wheels");
  CHECK_FALSE(kinds[StoreItemKind::cache_mount][0].in_use);
}
