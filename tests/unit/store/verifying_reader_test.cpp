#include "registry/store/verifying_reader.hpp"

#include <doctest/doctest.h>

#include "base/atomic_file.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace kiln;

TEST_CASE_FIXTURE(StoreFixture, "a flipped bit is found by every way of reading") {
  const oci::Digest digest = store.put("pristine", "text/plain").digest;
  write_file_atomically(store.path_of(digest), "pristinf");
  CHECK(error_of([&] { store.read(digest); }).find("is damaged") != std::string::npos);
  VerifyingReader reader(store, digest);
  char buffer[3];
  CHECK(reader.read(buffer, sizeof buffer) == 3);
  CHECK(error_of([&] { reader.finish(); }).find("run 'kiln cache verify'") != std::string::npos);
}

TEST_CASE_FIXTURE(StoreFixture,
                  "a large blob is hashed where it comes from another process, and once where it was written here") {
  const std::string bytes(3 << 20, 'x');
  const oci::Digest digest = store.put(bytes, "text/plain").digest;
  write_file_atomically(store.path_of(digest), std::string(3 << 20, 'y'));
  CHECK(error_of([&] { VerifyingReader(store, digest).finish(); }).empty());
  const ContentStore other(HomeLayout::open(store.home().root()));
  CHECK(error_of([&] { VerifyingReader(other, digest).finish(); }).find("is damaged") != std::string::npos);
  store.remove_damaged(digest);
  write_file_atomically(store.path_of(digest), std::string(3 << 20, 'y'));
  CHECK(error_of([&] { VerifyingReader(store, digest).finish(); }).find("is damaged") != std::string::npos);
}

TEST_CASE_FIXTURE(StoreFixture, "a verifying reader that stops early still verifies the rest") {
  const oci::Digest digest = store.put("a tar and its padding", "text/plain").digest;
  VerifyingReader reader(store, digest);
  char buffer[5];
  CHECK(reader.read(buffer, sizeof buffer) == 5);
  CHECK(std::string(buffer, 5) == "a tar");
  CHECK(error_of([&] { reader.finish(); }).empty());
}
