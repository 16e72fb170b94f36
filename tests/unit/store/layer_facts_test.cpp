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
  CHECK(blob_info(other, blob)->unpacked_bytes == 12345);
  fs::remove(store.path_of(index.digest));
  CHECK_FALSE(index_of_layer(store, diff_id));
}

TEST_CASE_FIXTURE(StoreFixture, "a damaged fact is no fact") {
  const oci::Digest digest = oci::sha256_of("x");
  for (const std::string& text : {std::string(), std::string("\n"), std::string("sha256:zz 5 a\n"), std::string("12"),
                                  std::string("sha256:"), std::string("\xff\xff\xff"), std::string(100'000, 'x')}) {
    write_file_atomically(home.indexes() / std::string(digest.hex()), text);
    write_file_atomically(home.blob_info() / std::string(digest.hex()), text);
    CHECK_FALSE(index_of_layer(store, digest));
    CHECK_FALSE(blob_info(store, digest));
  }
}

TEST_CASE_FIXTURE(StoreFixture, "a blob is found by the shape of its layer and its form, for as long as it is there") {
  const std::string shape(64, 'a');
  CHECK_FALSE(blob_of_shape(store, shape, "gzip"));
  oci::Descriptor blob = store.put("the layer", "");
  set_blob_of_shape(store, shape, "gzip", blob);
  REQUIRE(blob_of_shape(store, shape, "gzip"));
  CHECK(blob_of_shape(store, shape, "gzip")->digest == blob.digest);
  CHECK(blob_of_shape(store, shape, "gzip")->size == blob.size);
  CHECK_FALSE(blob_of_shape(store, shape, "zstd"));
  CHECK_FALSE(blob_of_shape(store, std::string(64, 'b'), "gzip"));
  fs::remove(store.path_of(blob.digest));
  CHECK_FALSE(blob_of_shape(store, shape, "gzip"));
}
