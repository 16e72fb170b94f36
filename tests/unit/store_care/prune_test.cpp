#include "builder/store_care/prune.hpp"

#include <doctest/doctest.h>

#include "tests/unit/store_care/storage_fixture.hpp"

using namespace kiln;

namespace {

constexpr UnixSeconds kNow = 1'800'000'000;

struct Fixture : StorageFixture {
  PruneReport run(const PruneOptions& options) { return prune(store, snapshots, mounts, options, kNow); }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "without a limit every step goes, with its layer and index") {
  const std::string key = step('a', "one", kNow - 100);
  const PruneReport report = run({});
  REQUIRE(report.removed.size() == 1);
  CHECK(report.removed[0].id == key);
  CHECK_FALSE(has_record(key));
  CHECK_FALSE(store.has(blob(0)));
  CHECK_FALSE(store.has(layers[0].index->digest));
}

TEST_CASE_FIXTURE(Fixture, "a dry run says the same and removes nothing") {
  const std::string key = step('a', "one", kNow - 100);
  PruneOptions options;
  options.dry_run = true;
  const PruneReport report = run(options);
  CHECK(report.removed.size() == 1);
  CHECK(has_record(key));
  CHECK(store.has(blob(0)));
  CHECK(run({}).bytes == report.bytes);
}

TEST_CASE_FIXTURE(Fixture, "what was used longest ago goes first, until no more than allowed is used") {
  const std::string old = step('a', "old", kNow - 900), young = step('b', "young", kNow - 100);
  PruneOptions options;
  options.dry_run = true;
  options.max_used_bytes = run(options).used_before - 1;
  options.dry_run = false;
  CHECK(run(options).removed.size() == 1);
  CHECK_FALSE(has_record(old));
  CHECK(has_record(young));
  CHECK(store.has(blob(1)));
}

TEST_CASE_FIXTURE(Fixture, "reserved space is never given up") {
  const std::string key = step('a', "one", kNow - 900);
  PruneOptions options;
  options.max_used_bytes = 0;
  options.reserved_bytes = std::uint64_t{1} << 40;
  CHECK(run(options).removed.empty());
  CHECK(has_record(key));
}

TEST_CASE_FIXTURE(Fixture, "what was used within the time of the filter stays") {
  const std::string old = step('a', "old", kNow - 7200), young = step('b', "young", kNow - 60);
  PruneOptions options;
  options.unused_seconds = 3600;
  CHECK(run(options).removed.size() == 1);
  CHECK_FALSE(has_record(old));
  CHECK(has_record(young));
}

TEST_CASE_FIXTURE(Fixture, "a layer that a second step made too goes with the last of them") {
  step('a', "same", kNow - 900);
  const std::string young = step('b', "same", kNow - 60);
  PruneOptions options;
  options.unused_seconds = 600;
  CHECK(run(options).removed.size() == 1);
  CHECK(store.has(blob(0)));
  CHECK(run({}).removed.size() == 1);
  CHECK_FALSE(store.has(blob(0)));
}

TEST_CASE_FIXTURE(Fixture, "a step whose layer a running kiln uses stays") {
  const std::string key = step('a', "one", kNow - 900);
  store.lease(blob(0));
  PruneOptions options;
  options.all = true;
  CHECK(run(options).removed.empty());
  CHECK(has_record(key));
  CHECK(store.has(blob(0)));
}

TEST_CASE_FIXTURE(Fixture, "what nothing names stays unless all is to go") {
  {
    ContentStore other(home);
    other.put("a pulled layer", "application/octet-stream");
  }
  CHECK(run({}).removed.empty());
  PruneOptions options;
  options.all = true;
  CHECK(run(options).removed.size() == 1);
  CHECK_FALSE(store.has(oci::sha256_of("a pulled layer")));
}

TEST_CASE_FIXTURE(Fixture, "only the kinds that are asked for go") {
  const std::string key = step('a', "one", kNow - 900);
  PruneOptions options;
  options.kinds = {StoreItemKind::cache_mount};
  CHECK(run(options).removed.empty());
  CHECK(has_record(key));
}
