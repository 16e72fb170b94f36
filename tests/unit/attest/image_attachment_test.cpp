#include "builder/attest/image_attachment.hpp"

#include <nlohmann/json.hpp>

#include "builder/attest/attestation_manifest.hpp"
#include "tests/unit/remote/remote_fixture.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

constexpr char kRepository[] = "acme/app";

Attestation attestation_of(const std::string& key) {
  return {"https://example.com/predicate", key, [] { return Statement{"https://example.com/predicate", "{}"}; }};
}

struct Attaching : Remote {
  AttestedImage image{remote_image(kRepository, "1", {"base", "app"}), {attestation_of(std::string(64, 'a'))}};
  RemoteRepository place() { return {{registry.authority(), Security::verified}, kRepository}; }
  std::size_t attached() {
    const RemoteRepository repository = place();
    return ImageAttachment(session(), store, repository, image, true).attach().attached;
  }
};

}  // namespace

TEST_CASE("what hangs at an image already is not attached again") {
  Attaching attaching;
  CHECK(attaching.attached() == 1);
  CHECK(attaching.attached() == 0);
  attaching.image.attestations.push_back(attestation_of(std::string(64, 'b')));
  CHECK(attaching.attached() == 1);
}

TEST_CASE("a list that claims an attestation of a manifest that is none of the image is not believed") {
  const std::string key(64, 'a');
  for (const bool is_of_other : {false, true}) {
    CAPTURE(is_of_other);
    Attaching attaching;
    oci::Manifest other;
    other.config = {oci::media_type::kOciEmpty, oci::sha256_of("{}"), 2, {}, {}, {}};
    if (is_of_other) {
      other.subject = attaching.remote_image(kRepository, "2", {"other"});
      other.annotations = {{kAttestationKeyAnnotation, key}};
    }
    const std::string bytes = oci::serialise(other);
    const std::string digest = attaching.registry.add_manifest(kRepository, "other", bytes, other.media_type);
    oci::Index list;
    list.manifests = {{other.media_type,
                       oci::Digest::parse(digest),
                       bytes.size(),
                       {{kAttestationKeyAnnotation, key}},
                       {},
                       oci::media_type::kInToto}};
    const std::string hex(attaching.image.manifest.digest.hex());
    attaching.registry.add_manifest(kRepository, "sha256-" + hex, oci::serialise(list), list.media_type);
    CHECK(attaching.attached() == 1);
  }
}
