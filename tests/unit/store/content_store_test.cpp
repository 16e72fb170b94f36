#include "registry/store/content_store.hpp"

#include <doctest/doctest.h>

#include "base/thread_pool.hpp"
#include "registry/store/closure.hpp"
#include "registry/store/image_names.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace kiln;

TEST_CASE_FIXTURE(StoreFixture, "a blob that is not there, empty or of another algorithm is not in the store") {
  CHECK_FALSE(store.has(oci::sha256_of("nothing")));
  CHECK_FALSE(store.has(oci::Digest()));
  CHECK_FALSE(store.has(oci::Digest::parse("sha512:" + std::string(128, '0'))));
  const std::string error = error_of([&] { store.read(oci::sha256_of("nothing")); });
  CHECK(error.starts_with("machine: blob 'sha256:"));
  CHECK(error.find("is not in the store") != std::string::npos);
}

TEST_CASE_FIXTURE(StoreFixture, "a blob larger than the caller allows is not read") {
  const oci::Digest digest = store.put("0123456789", "text/plain").digest;
  CHECK(store.read(digest, 10) == "0123456789");
  CHECK(error_of([&] { store.read(digest, 9); }).find("larger than the 9 bytes") != std::string::npos);
}

TEST_CASE_FIXTURE(StoreFixture, "many threads write, name and read at once") {
  ThreadPool pool(8);
  pool.parallel_for(64, [&](std::size_t i) {
    const std::string own = "layer " + std::to_string(i);
    const NamedImage image{"image-" + std::to_string(i), put_image(store, "{}", {own, "shared by all"})};
    publish_images(store, {&image, 1});
    store.put("ephemeral " + std::to_string(i % 4), "text/plain", Durability::ephemeral);
    store.sync();
    CHECK(store.read(oci::sha256_of(own)) == own);
  });
  CHECK(named_images(store).size() == 64);
  for (const NamedImage& image : named_images(store)) CHECK(missing_blobs(store, image.descriptor).empty());
  CHECK(list_directory(home.tmp()).empty());
}
