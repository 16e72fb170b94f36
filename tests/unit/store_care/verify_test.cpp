#include "builder/store_care/verify.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "registry/store/image_names.hpp"
#include "registry/store/layer_facts.hpp"
#include "tests/unit/store_care/storage_fixture.hpp"

using namespace kiln;

namespace {

struct Fixture : StorageFixture {
  VerifyReport run(Repair repair) { return verify_store(store, snapshots, pool, repair, {}); }
  void write(const fs::path& path, const std::string& bytes) { write_file_atomically(path, bytes); }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a whole store has no problems") {
  step('a', "one", 1000);
  const VerifyReport report = run(Repair::no);
  CHECK(report.problems.empty());
  CHECK(report.blobs == 2);
  CHECK(report.layers == 1);
  CHECK(report.records == 2);
}

TEST_CASE_FIXTURE(Fixture, "what tells that the store is a layout is looked at, and written again") {
  write(store.home().oci() / "oci-layout", "{\"imageLayoutVersion\":\"1.0.8\"}");
  VerifyReport report = run(Repair::no);
  REQUIRE(report.problems.size() == 1);
  CHECK(report.problems[0].what == "'" + (store.home().oci() / "oci-layout").native() + "'");
  CHECK(run(Repair::yes).is_sound());
  CHECK(run(Repair::no).problems.empty());
  CHECK(read_file(store.home().oci() / "oci-layout") == "{\"imageLayoutVersion\":\"1.0.0\"}");
}

TEST_CASE_FIXTURE(Fixture, "a damaged blob is named with both digests, and a repair makes its step a miss") {
  const std::string key = step('a', "one", 1000);
  write(store.path_of(blob(0)), "something else");
  VerifyReport report = run(Repair::no);
  REQUIRE(report.problems.size() == 1);
  CHECK(report.problems[0].what.find(blob(0).str()) != std::string::npos);
  CHECK(report.problems[0].problem.find(oci::sha256_of("something else").str()) != std::string::npos);
  CHECK_FALSE(report.is_sound());
  CHECK(run(Repair::yes).is_sound());
  CHECK_FALSE(StepCache(store).find(key).record);
  CHECK(run(Repair::no).problems.empty());
}

TEST_CASE_FIXTURE(Fixture, "a blob that is no regular file is named without being waited for, and goes with a repair") {
  step('a', "one", 1000);
  for (const bool is_link : {false, true}) {
    CAPTURE(is_link);
    const fs::path path = store.path_of(blob(0));
    fs::remove(path);
    if (is_link) {
      fs::create_symlink("/dev/zero", path);
    } else {
      REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    }
    const VerifyReport report = run(Repair::no);
    REQUIRE(report.problems.size() == 1);
    CHECK(report.problems[0].problem == "it is no regular file");
    CHECK(run(Repair::yes).is_sound());
    CHECK_FALSE(fs::exists(fs::symlink_status(path)));
  }
}

TEST_CASE_FIXTURE(Fixture, "a wrong note about a layer is found, though the blob is whole") {
  step('a', "one", 1000);
  set_blob_info(store, blob(0), {oci::sha256_of("another"), 12});
  CHECK(run(Repair::no).problems.size() == 1);
  CHECK(run(Repair::yes).is_sound());
  CHECK(store.has(blob(0)));
}

TEST_CASE_FIXTURE(Fixture, "a file index under another layer's name is dropped") {
  step('a', "one", 1000);
  set_index_of_layer(store, oci::sha256_of("another"), *layers[0].index);
  CHECK(run(Repair::yes).problems.size() == 1);
  CHECK_FALSE(index_of_layer(store, oci::sha256_of("another")));
  CHECK(index_of_layer(store, layers[0].diff_id));
}

TEST_CASE_FIXTURE(Fixture, "a package whose bytes are others is removed") {
  const std::string name = std::string(oci::sha256_of("package").hex()) + ".deb";
  write(home.debs() / name, "package");
  CHECK(run(Repair::no).problems.empty());
  write(home.debs() / name, "pakcage");
  CHECK(run(Repair::yes).problems.size() == 1);
  CHECK_FALSE(fs::exists(home.debs() / name));
}

TEST_CASE_FIXTURE(Fixture, "an image that has lost a blob loses its name") {
  const oci::Descriptor blob = store.put("blob", "application/octet-stream");
  const NamedImage image{"app", blob};
  publish_images(store, {&image, 1});
  CHECK(run(Repair::no).problems.empty());
  write(store.path_of(blob.digest), "bolb");
  CHECK(run(Repair::yes).problems.size() == 2);
  CHECK(named_images(store).empty());
}
