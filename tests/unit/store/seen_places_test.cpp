#include "registry/store/seen_places.hpp"

#include <doctest/doctest.h>

#include "base/atomic_file.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace kiln;

namespace {

using Repositories = std::vector<std::string>;

}  // namespace

TEST_CASE_FIXTURE(StoreFixture, "a place where a blob was seen is known to every store of the home, by its registry") {
  const oci::Digest blob = oci::sha256_of("layer");
  CHECK(seen_repositories(store, blob, "ghcr.io").empty());
  note_seen_place(store, blob, "ghcr.io", "acme/app", Seen::there);
  note_seen_place(store, blob, "127.0.0.1:5000", "acme/other", Seen::sent);
  ContentStore other(HomeLayout::open(home.root()));
  CHECK(seen_repositories(other, blob, "ghcr.io") == Repositories{"acme/app"});
  CHECK(seen_repositories(other, blob, "127.0.0.1:5000") == Repositories{"acme/other"});
  CHECK(seen_repositories(other, blob, "127.0.0.1:500").empty());
  CHECK(seen_repositories(other, oci::sha256_of("another"), "ghcr.io").empty());
}

TEST_CASE_FIXTURE(StoreFixture,
                  "few places of a registry are kept: more than these are noted only where a blob was sent") {
  const oci::Digest blob = oci::sha256_of("layer");
  for (const char* name : {"a", "b", "c", "d", "e"}) note_seen_place(store, blob, "ghcr.io", name, Seen::there);
  CHECK(seen_repositories(store, blob, "ghcr.io") == Repositories{"d", "c", "b", "a"});
  note_seen_place(store, blob, "ghcr.io", "e", Seen::sent);
  CHECK(seen_repositories(store, blob, "ghcr.io") == Repositories{"e", "d", "c", "b"});
  note_seen_place(store, blob, "ghcr.io", "c", Seen::sent);
  CHECK(seen_repositories(store, blob, "ghcr.io") == Repositories{"c", "e", "d", "b"});
}

TEST_CASE_FIXTURE(StoreFixture, "of many registries the one that was seen last takes the place of the oldest") {
  const oci::Digest blob = oci::sha256_of("layer");
  for (char host = 'a'; host <= 'i'; ++host) note_seen_place(store, blob, std::string(1, host), "app", Seen::there);
  CHECK(seen_repositories(store, blob, "a").empty());
  CHECK(seen_repositories(store, blob, "b") == Repositories{"app"});
  CHECK(seen_repositories(store, blob, "i") == Repositories{"app"});
}

TEST_CASE_FIXTURE(StoreFixture, "of a damaged note the lines that are places are read, and the next place is added") {
  const oci::Digest blob = oci::sha256_of("layer");
  fs::create_directories(home.seen_places());
  write_file_atomically(home.seen_places() / std::string(blob.hex()),
                        "ghcr.io/acme/app?x=1\n/acme\nghcr.io\n\xff\xfeghcr.io/\nghcr.io/acme/whole\nghcr.io/acme/ha");
  CHECK(seen_repositories(store, blob, "ghcr.io") == Repositories{"acme/whole", "acme/ha"});
  note_seen_place(store, blob, "ghcr.io", "acme/new", Seen::there);
  CHECK(seen_repositories(store, blob, "ghcr.io") == Repositories{"acme/new", "acme/whole", "acme/ha"});
}

TEST_CASE_FIXTURE(StoreFixture, "of a note with too many places the first are read, each once") {
  const oci::Digest blob = oci::sha256_of("layer");
  fs::create_directories(home.seen_places());
  write_file_atomically(home.seen_places() / std::string(blob.hex()),
                        "ghcr.io/a\nghcr.io/b\nghcr.io/a\nghcr.io/c\nghcr.io/d\nghcr.io/e\n1/z\n2/z\n3/z\n4/z\n5/z\n");
  CHECK(seen_repositories(store, blob, "ghcr.io") == Repositories{"a", "b", "c", "d"});
  CHECK(seen_repositories(store, blob, "4") == Repositories{"z"});
  CHECK(seen_repositories(store, blob, "5").empty());
  note_seen_place(store, blob, "ghcr.io", "new", Seen::sent);
  CHECK(seen_repositories(store, blob, "ghcr.io") == Repositories{"new", "a", "b", "c"});
}

TEST_CASE_FIXTURE(StoreFixture, "a home where nothing can be noted makes no error of it") {
  const oci::Digest blob = oci::sha256_of("layer");
  write_file_atomically(home.seen_places(), "a file");
  CHECK_NOTHROW(note_seen_place(store, blob, "ghcr.io", "acme/app", Seen::sent));
  CHECK(seen_repositories(store, blob, "ghcr.io").empty());
}
