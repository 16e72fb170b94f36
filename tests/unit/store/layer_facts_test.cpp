#include "registry/store/layer_facts.hpp"

#include <doctest/doctest.h>

#include <array>

#include "base/atomic_file.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace kiln;

TEST_CASE_FIXTURE(StoreFixture, "facts about layers are kept, and vanish with the blob they name") {
  const oci::Digest diff_id = oci::sha256_of("tar"), blob = oci::sha256_of("gzip");
  CHECK_FALSE(index_of_layer(store, diff_id));
  CHECK_FALSE(blob_info(store, blob));
  const oci::Descriptor index = store.put("the file index", "application/vnd.dev.kiln.index.v1");
  set_index_of_layer(store, diff_id, index);
  set_blob_info(store, blob, {diff_id, 12345});
  const HomeLayout same = HomeLayout::open(home.root());
  ContentStore other(same);
  REQUIRE(index_of_layer(other, diff_id));
  CHECK(*index_of_layer(other, diff_id) == index);
  REQUIRE(blob_info(other, blob));
  CHECK(blob_info(other, blob)->diff_id == diff_id);
  CHECK(blob_info(other, blob)->uncompressed_bytes == 12345);
  fs::remove(store.path_of(index.digest));
  CHECK_FALSE(index_of_layer(store, diff_id));
}

TEST_CASE_FIXTURE(StoreFixture, "a damaged fact is no fact") {
  const oci::Digest digest = oci::sha256_of("x");
  for (const char* text : {"", "\n", "sha256:zz 5 a\n", "12", "sha256:", "\xff\xff\xff"}) {
    write_file_atomically(home.indexes() / std::string(digest.hex()), text);
    write_file_atomically(home.blob_info() / std::string(digest.hex()), text);
    CHECK_FALSE(index_of_layer(store, digest));
    CHECK_FALSE(blob_info(store, digest));
  }
}
