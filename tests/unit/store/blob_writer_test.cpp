#include <doctest/doctest.h>
#include <sys/stat.h>

#include "base/atomic_file.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace kiln;

TEST_CASE_FIXTURE(StoreFixture, "a blob appears under the digest of its bytes") {
  BlobWriter writer = store.begin_blob();
  writer.write("hello ");
  writer.write("world");
  CHECK(writer.size() == 11);
  const oci::Digest digest = writer.commit();
  CHECK(digest.str() == "sha256:b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9");
  CHECK(store.read(digest) == "hello world");
  CHECK(read_file(home.blobs() / std::string(digest.hex())) == "hello world");
  struct stat info;
  REQUIRE(::stat(store.path_of(digest).c_str(), &info) == 0);
  CHECK((info.st_mode & 0777 & ~0644) == 0);
}

TEST_CASE_FIXTURE(StoreFixture, "an empty blob is a blob") {
  const oci::Digest digest = store.begin_blob().commit();
  CHECK(digest == oci::sha256_of(""));
  CHECK(store.size_of(digest) == 0);
}

TEST_CASE_FIXTURE(StoreFixture, "a writer that is dropped leaves nothing") {
  {
    BlobWriter writer = store.begin_blob();
    writer.write("never published");
    CHECK(list_directory(home.tmp()).size() == 1);
  }
  CHECK(list_directory(home.tmp()).empty());
  CHECK(list_directory(home.blobs()).empty());
}

TEST_CASE_FIXTURE(StoreFixture,
                  "bytes with another digest than expected are a fault of the sender and are not published") {
  BlobWriter writer = store.begin_blob();
  writer.write("evil");
  const oci::Digest expected = oci::sha256_of("good");
  const std::string error = error_of([&] { writer.commit(expected); });
  CHECK(error.starts_with("network: "));
  CHECK(error.find(expected.str()) != std::string::npos);
  CHECK(error.find(oci::sha256_of("evil").str()) != std::string::npos);
  CHECK(list_directory(home.blobs()).empty());
}

TEST_CASE_FIXTURE(StoreFixture, "the same bytes twice are one blob, and no temporary file stays") {
  for (const Durability durability : {Durability::durable, Durability::ephemeral, Durability::durable}) {
    BlobWriter writer = store.begin_blob();
    writer.write("twice");
    writer.commit({}, durability);
    store.put("twice", "text/plain", durability);
  }
  CHECK(list_directory(home.blobs()).size() == 1);
  CHECK(list_directory(home.tmp()).empty());
}

TEST_CASE_FIXTURE(StoreFixture, "a truncated blob is written anew") {
  const oci::Digest digest = store.put("all of it", "text/plain").digest;
  write_file_atomically(store.path_of(digest), "all");
  store.put("all of it", "text/plain", Durability::ephemeral);
  CHECK(store.read(digest) == "all of it");
}

TEST_CASE_FIXTURE(StoreFixture, "a moved writer goes on where it was") {
  BlobWriter first = store.begin_blob();
  first.write("ab");
  BlobWriter second = std::move(first);
  second.write("c");
  CHECK(second.commit() == oci::sha256_of("abc"));
}
