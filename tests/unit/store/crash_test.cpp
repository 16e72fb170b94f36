// kill -9 at any point of writing and publishing leaves a store in which everything that is named is whole.
#include <doctest/doctest.h>

#include <chrono>
#include <random>
#include <thread>

#include "registry/store/closure.hpp"
#include "registry/store/garbage.hpp"
#include "registry/store/image_names.hpp"
#include "registry/store/layer_facts.hpp"
#include "tests/support/forked_child.hpp"
#include "tests/unit/store/store_fixture.hpp"

using namespace kiln;

TEST_CASE_FIXTURE(StoreFixture, "a process killed at any moment leaves a store that verifies") {
  constexpr int kRounds = 25;
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int round = 0; round < kRounds; ++round) {
    ForkedChild child([&](ForkedChild::Link& link) -> int {
      ContentStore own(home);
      link.say("started");
      for (int i = 0;; ++i) {
        const std::string name = std::to_string(round) + "-" + std::to_string(i);
        oci::Manifest manifest;
        manifest.config = own.put("{}", oci::media_type::kOciConfig, Durability::ephemeral);
        manifest.layers.push_back(
            own.put(std::string(200000, 'x') + name, oci::media_type::kOciLayer, Durability::ephemeral));
        set_blob_info(own, manifest.layers[0].digest, {manifest.layers[0].digest, 200000});
        const NamedImage image{name, own.put(oci::serialise(manifest), manifest.media_type, Durability::ephemeral)};
        publish_images(own, {&image, 1});
      }
    });
    REQUIRE(child.hear() == "started");
    std::this_thread::sleep_for(std::chrono::microseconds(std::uniform_int_distribution<int>(0, 15000)(random)));
    child.kill();
    CHECK(child.wait() == 128 + 9);

    ContentStore reopened(HomeLayout::open(home.root()));
    for (const NamedImage& image : named_images(reopened)) {
      for (const oci::Descriptor& item : closure_of(reopened, image.descriptor)) {
        CHECK(reopened.read(item.digest).size() == item.size);
      }
    }
    for (const std::string& name : list_directory(home.blobs())) {
      const oci::Digest digest = oci::Digest::from_sha256_hex(name);
      CHECK(oci::sha256_of(read_file(reopened.path_of(digest))) == digest);
    }
    for (const std::string& name : list_directory(home.oci())) {
      const bool is_temporary = name.ends_with(".tmp");
      CHECK((is_temporary || name == "blobs" || name == "index.json" || name == "oci-layout"));
    }
  }
  const std::size_t named = named_images(store).size();
  collect_garbage_except(store, {}, DryRun::no);
  CHECK(named_images(store).size() == named);
  CHECK(list_directory(home.oci()) == std::vector<std::string>{"blobs", "index.json", "oci-layout"});
}
