#include "builder/cache/step_cache.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include "base/temp_dir.hpp"

using namespace kiln;

namespace {

const std::string kKey(64, 'c');

struct Fixture {
  TempDir folder;
  ContentStore store{HomeLayout::open(folder.path())};
  StepCache cache{store};

  StepRecord stored_record() {
    LayerValue layer;
    layer.diff_id = oci::sha256_of("tar");
    const oci::Descriptor blob = store.put("gz", "application/vnd.oci.image.layer.v1.tar+gzip", Durability::ephemeral);
    layer.blobs.push_back({blob, Compression{}});
    StepRecord record;
    record.kind = StepKind::copy;
    record.key = kKey;
    record.created = "2026-01-01T00:00:00Z";
    record.salt = "00";
    record.layers = {layer};
    cache.store(record);
    return record;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "what was stored is found") {
  CHECK_FALSE(cache.find(kKey).record);
  CHECK(cache.find(kKey).miss.reason.empty());
  const StepRecord record = stored_record();
  const auto found = cache.find(kKey);
  REQUIRE(found.record);
  CHECK(found.record->layers == record.layers);
}

TEST_CASE_FIXTURE(Fixture, "a record whose blob is gone is a miss that says so") {
  const StepRecord record = stored_record();
  ::unlink(store.path_of(record.layers[0].blobs[0].descriptor.digest).c_str());
  const auto found = cache.find(kKey);
  CHECK_FALSE(found.record);
  CHECK(found.miss.reason.find("no longer in the store") != std::string::npos);
  CHECK(found.miss.kind == MissKind::layer_gone);
}

TEST_CASE_FIXTURE(Fixture, "a damaged record is a miss that says so") {
  stored_record();
  write_file_atomically(store.home().steps() / "cc" / kKey, "{\"version\": 1");
  const auto found = cache.find(kKey);
  CHECK_FALSE(found.record);
  CHECK(found.miss.reason.find("step record") != std::string::npos);
}

TEST_CASE_FIXTURE(Fixture, "a slot remembers the last record of a place") {
  CHECK(cache.earlier_in_slot("Dockerfile|app|1").empty());
  stored_record();
  cache.remember_slot("Dockerfile|app|1", kKey);
  REQUIRE(cache.earlier_in_slot("Dockerfile|app|1").size() == 1);
  CHECK(cache.earlier_in_slot("Dockerfile|app|1").front().key == kKey);
  CHECK(cache.earlier_in_slot("Dockerfile|app|2").empty());
}
