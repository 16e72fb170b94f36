#include "registry/store/attached.hpp"

#include <doctest/doctest.h>

#include "base/atomic_file.hpp"
#include "base/temp_dir.hpp"
#include "registry/store/garbage.hpp"

using namespace kiln;

namespace {

const std::string kKey(64, 'a');
const std::string kOther(64, 'b');
const oci::Digest kImage = oci::sha256_of("image");

}  // namespace

TEST_CASE("what was attached to an image is known by its key and the repository") {
  const TempDir folder;
  const ContentStore store(HomeLayout::open(folder.path()));
  CHECK_FALSE(was_attached(store, kImage, kKey, "ghcr.io/acme/app"));
  note_attached(store, kImage, kKey, "ghcr.io/acme/app");
  note_attached(store, kImage, kKey, "ghcr.io/acme/other");
  note_attached(store, kImage, kKey, "ghcr.io/acme/app");
  CHECK(was_attached(store, kImage, kKey, "ghcr.io/acme/app"));
  CHECK(was_attached(store, kImage, kKey, "ghcr.io/acme/other"));
  CHECK_FALSE(was_attached(store, kImage, kOther, "ghcr.io/acme/app"));
  CHECK_FALSE(was_attached(store, oci::sha256_of("other"), kKey, "ghcr.io/acme/app"));
  CHECK(read_file_if_exists(store.home().attached() / std::string(kImage.hex()), 4096) ==
        kKey + " at ghcr.io/acme/app\n" + kKey + " at ghcr.io/acme/other\n");
}

TEST_CASE("a manifest that was made for an image is found while it is in the store") {
  const TempDir folder;
  ContentStore store(HomeLayout::open(folder.path()));
  const oci::Descriptor first = store.put("first", "type");
  const oci::Descriptor second = store.put("second one", "type");
  note_attestation_of_image(store, kImage, kKey, first);
  note_attestation_of_image(store, kImage, kKey, second);
  const auto found = attestation_of_image(store, kImage, kKey);
  REQUIRE(found);
  CHECK(found->digest == second.digest);
  CHECK(found->size == second.size);
  CHECK_FALSE(attestation_of_image(store, kImage, kOther));
  fs::remove(store.path_of(second.digest));
  CHECK_FALSE(attestation_of_image(store, kImage, kKey));
}

TEST_CASE("of an image that a garbage collection takes nothing is known any more") {
  const TempDir folder;
  ContentStore store(HomeLayout::open(folder.path()));
  const oci::Descriptor image = store.put("image", "type");
  note_attached(store, image.digest, kKey, "ghcr.io/acme/app");
  note_attached(store, oci::sha256_of("gone"), kKey, "ghcr.io/acme/app");
  collect_garbage(
      store, [] { return std::set<oci::Digest>(); }, DryRun::no);
  CHECK(was_attached(store, image.digest, kKey, "ghcr.io/acme/app"));  // this process uses it
  CHECK_FALSE(was_attached(store, oci::sha256_of("gone"), kKey, "ghcr.io/acme/app"));
}

TEST_CASE("a damaged note of what was attached is none") {
  const TempDir folder;
  ContentStore store(HomeLayout::open(folder.path()));
  make_directories(store.home().attached());
  const fs::path file = store.home().attached() / std::string(kImage.hex());
  for (const std::string& text : {kKey + " is", kKey + " is sha256:12 3", kKey + " is x y z", std::string("\n\0", 2),
                                  std::string(300'000, 'x')}) {
    write_file_atomically(file, text);
    CHECK_FALSE(attestation_of_image(store, kImage, kKey));
    CHECK_FALSE(was_attached(store, kImage, kKey, "ghcr.io/acme/app"));
  }
  note_attached(store, kImage, kKey, "ghcr.io/acme/app");
  CHECK(was_attached(store, kImage, kKey, "ghcr.io/acme/app"));
}
