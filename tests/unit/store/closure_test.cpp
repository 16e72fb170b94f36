#include "registry/store/closure.hpp"

#include <doctest/doctest.h>

#include "base/atomic_file.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace kiln;

TEST_CASE_FIXTURE(StoreFixture, "a truncated layer counts as missing") {
  const oci::Descriptor image = put_image(store, "{}", {"whole layer"});
  write_file_atomically(store.path_of(oci::sha256_of("whole layer")), "whole");
  CHECK(missing_blobs(store, image).size() == 1);
  const NamedImage named{"app", image};
  CHECK(error_of([&] {
          publish_images(store, {&named, 1});
        }).find("1 of its blobs are not in the store") != std::string::npos);
}

TEST_CASE_FIXTURE(StoreFixture, "an index reaches the blobs of all its images, each once") {
  const oci::Descriptor one = put_image(store, "{\"one\":1}", {"shared", "own"});
  const oci::Descriptor two = put_image(store, "{\"two\":2}", {"shared"});
  oci::Index index;
  index.manifests = {one, two};
  const oci::Descriptor root = store.put(oci::serialise(index), index.media_type);
  CHECK(closure_of(store, root).size() == 7);
  CHECK(missing_blobs(store, root).empty());
  fs::remove(store.path_of(two.digest));
  REQUIRE(missing_blobs(store, root).size() == 1);
  CHECK(missing_blobs(store, root)[0].digest == two.digest);
  CHECK(error_of([&] { closure_of(store, root); }).find("is not in the store") != std::string::npos);
  CHECK(closure_of(store, root, Absent::kept).size() == 6);
}
