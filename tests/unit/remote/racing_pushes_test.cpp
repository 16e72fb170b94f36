// Two pushes from two machines, of which the second runs from its beginning to its end where the first has found that
// the registry lacks a layer and has not sent it yet: the same interleaving in every run.
#include "base/process.hpp"
#include "registry/remote/push.hpp"
#include "tests/unit/remote/remote_fixture.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

struct Race {
  Remote first;
  Remote second;
  const std::string shared = bytes_of(200'000);

  Race() { second.settings.credentials = first.settings.credentials; }

  // An image of the first machine whose layer `shared` it has not: fetch() brings it, when it is asked for.
  oci::Descriptor image_without_shared() {
    oci::Manifest manifest;
    oci::ImageConfig config;
    config.platform = oci::Platform::parse("linux/amd64");
    const oci::Digest layer = oci::sha256_of(shared);
    manifest.layers.push_back({oci::media_type::kOciLayerGzip, layer, shared.size(), {}, {}, {}});
    config.diff_ids.push_back(layer);
    manifest.config = first.store.put(oci::serialise(config), oci::media_type::kOciConfig);
    return first.store.put(oci::serialise(manifest), manifest.media_type);
  }

  // Pushes `image` from the first machine and, in the middle of that, `other` from the second.
  void run(const oci::Descriptor& image, const std::string& name, const oci::Descriptor& other,
           const std::string& other_name) {
    PushOptions options;
    options.fetch = [&](const oci::Descriptor& blob) {
      CHECK_FALSE(first.registry.has_blob("acme/app", blob.digest.str()));
      push_image(second.session(), second.store, {other, {first.reference(other_name)}});
      first.store.put(shared, oci::media_type::kOciLayerGzip);
      return true;
    };
    push_image(first.session(), first.store, {image, {first.reference(name)}}, options);
  }
};

}  // namespace

TEST_CASE(
    "a blob that another push brings after it was found missing is at the registry once more, and both are whole") {
  Race race;
  const oci::Descriptor other = race.second.image({race.shared, bytes_of(50, 3)});
  const oci::Descriptor image = race.image_without_shared();
  race.run(image, "acme/app:first", other, "acme/app:second");
  CHECK(race.first.registry.tag("acme/app", "first") == image.digest.str());
  CHECK(race.first.registry.tag("acme/app", "second") == other.digest.str());
  CHECK(race.first.registry.broken_tags().empty());
  // Each machine sent it once: none asked again for what it had just been told.
  CHECK(race.first.registry.blob_bytes_received() >= 2 * race.shared.size());
  CHECK(race.first.registry.blob_bytes_received() < 3 * race.shared.size());
}

TEST_CASE("of two pushes under one name the later one has it, and the other image stays whole by its digest") {
  Race race;
  const oci::Descriptor other = race.second.image({race.shared, bytes_of(50, 3)});
  const oci::Descriptor image = race.image_without_shared();
  race.run(image, "acme/app:1", other, "acme/app:1");
  CHECK(race.first.registry.tag("acme/app", "1") == image.digest.str());
  CHECK(race.first.registry.has_manifest("acme/app", other.digest.str()));
  CHECK(race.first.registry.broken_tags().empty());
  // The other machine takes the name back by one more push, for which nothing has to be sent.
  const auto sent = race.first.registry.blob_bytes_received();
  const PushOutcome again =
      push_image(race.second.session(), race.second.store, {other, {race.first.reference("acme/app:1")}});
  CHECK(again.targets.at(0).outcome == TransferOutcome::transferred);
  CHECK(race.first.registry.tag("acme/app", "1") == other.digest.str());
  CHECK(race.first.registry.blob_bytes_received() == sent);
}

TEST_CASE("two pushes of one image that is at no registry yet give it one name and one set of blobs") {
  Race race;
  const oci::Descriptor image = race.image_without_shared();
  // Of the second machine, which has all of it.
  const oci::Descriptor same = race.second.image({race.shared});
  REQUIRE(same.digest == image.digest);
  race.run(image, "acme/app:1", same, "acme/app:1");
  CHECK(race.first.registry.tag("acme/app", "1") == image.digest.str());
  CHECK(race.first.registry.broken_tags().empty());
}
