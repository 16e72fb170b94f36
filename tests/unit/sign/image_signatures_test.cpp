#include "builder/sign/image_signatures.hpp"

#include <nlohmann/json.hpp>

#include "builder/sign/signed_statement.hpp"
#include "registry/oci/manifest.hpp"
#include "tests/support/check_error.hpp"
#include "tests/unit/remote/remote_fixture.hpp"
#include "tests/unit/sign/test_keys.hpp"

using namespace kiln;
using namespace kiln::test;
using Kind = Reaction::Kind;

namespace {

constexpr char kRepository[] = "acme/app";

std::vector<std::string> forms_of(const std::vector<SignatureForm>& forms) {
  std::vector<std::string> names;
  for (const SignatureForm form : forms) names.emplace_back(name_of(form));
  return names;
}

using Names = std::vector<std::string>;

HostileOptions with_referrers(bool api) {
  HostileOptions options;
  options.referrers_api = api;
  return options;
}

oci::Manifest tagged_at(Remote& remote, const oci::Digest& image) {
  return oci::parse_manifest(remote.client().fetch_manifest(kRepository, signature_tag(image)).bytes, "signatures");
}

}  // namespace

TEST_CASE("an image that was signed is verified in both forms, with and without a referrers API") {
  for (const bool api : {true, false}) {
    for (const SigningKey& key : {p256_key(), ed25519_key()}) {
      CAPTURE(api);
      Remote remote(with_referrers(api));
      const oci::Descriptor image = remote.remote_image(kRepository, "1", {"layer"});
      const SignedImage done = sign_image(remote.session(), remote.reference("acme/app:1"), key);
      CHECK(forms_of(done.added) == Names{"tag", "bundle"});
      CHECK(done.there.empty());
      CHECK(done.refusal.empty());
      CHECK(done.image.str() == remote.registry.authority() + "/acme/app@" + image.digest.str());
      const VerifiedImage verified =
          verify_signatures(remote.session(), remote.reference("acme/app:1"), key.public_key());
      CHECK(verified.is_signed());
      REQUIRE(verified.signatures.size() == 2);
      for (const FoundSignature& found : verified.signatures) CHECK(found.problem == "");
      CHECK(remote.registry.broken_tags().empty());
      // Nothing of it changes the image.
      CHECK(remote.registry.tag(kRepository, "1") == image.digest.str());
    }
  }
}

TEST_CASE("an image that is signed by the key already is left as it is") {
  Remote remote;
  remote.remote_image(kRepository, "1", {"layer"});
  const oci::Reference name = remote.reference("acme/app:1");
  sign_image(remote.session(), name, p256_key());
  const int written = remote.registry.count("PUT", "/manifests/");
  const SignedImage again = sign_image(remote.session(), name, p256_key());
  CHECK(again.added.empty());
  CHECK(forms_of(again.there) == Names{"tag", "bundle"});
  CHECK(remote.registry.count("PUT", "/manifests/") == written);
}

TEST_CASE("signatures of several keys stand beside one another") {
  for (const bool api : {true, false}) {
    CAPTURE(api);
    Remote remote(with_referrers(api));
    const oci::Descriptor image = remote.remote_image(kRepository, "1", {"layer"});
    const oci::Reference name = remote.reference("acme/app:1");
    sign_image(remote.session(), name, p256_key());
    CHECK(forms_of(sign_image(remote.session(), name, ed25519_key()).added) == Names{"tag", "bundle"});
    for (const SigningKey& key : {p256_key(), ed25519_key()}) {
      const VerifiedImage verified = verify_signatures(remote.session(), name, key.public_key());
      CHECK(verified.is_signed());
      CHECK(verified.signatures.size() == 4);
    }
    const VerifiedImage other =
        verify_signatures(remote.session(), name, VerificationKey::parse(kCosignPublic, "the key"));
    CHECK_FALSE(other.is_signed());
    REQUIRE(other.signatures.size() == 4);
    for (const FoundSignature& found : other.signatures) CHECK(found.problem == "it is not by this key");
    const oci::Manifest tagged = tagged_at(remote, image.digest);
    const auto config = nlohmann::json::parse(remote.client().fetch_blob_bytes(kRepository, tagged.config));
    CHECK(config["rootfs"]["diff_ids"] == nlohmann::json{tagged.layers[0].digest.str(), tagged.layers[1].digest.str()});
  }
}

TEST_CASE("one form alone can be written, and is enough") {
  for (const SignatureForm form : {SignatureForm::tag, SignatureForm::bundle}) {
    Remote remote;
    remote.remote_image(kRepository, "1", {"layer"});
    const oci::Reference name = remote.reference("acme/app:1");
    CHECK(sign_image(remote.session(), name, p256_key(), {{form}}).added.size() == 1);
    const VerifiedImage verified = verify_signatures(remote.session(), name, p256_key().public_key());
    REQUIRE(verified.signatures.size() == 1);
    CHECK(verified.signatures[0].form == form);
    CHECK(verified.is_signed());
  }
}

TEST_CASE("an image without a signature is not signed, and one that is missing is an error") {
  Remote remote;
  remote.remote_image(kRepository, "1", {"layer"});
  const VerifiedImage verified =
      verify_signatures(remote.session(), remote.reference("acme/app:1"), p256_key().public_key());
  CHECK_FALSE(verified.is_signed());
  CHECK(verified.signatures.empty());
  CHECK_ERROR(verify_signatures(remote.session(), remote.reference("acme/app:2"), p256_key().public_key()),
              Category::network, doctest::Contains("the registry has no image '"));
  CHECK_ERROR(sign_image(remote.session(), remote.reference("acme/app:2"), p256_key()), Category::network,
              doctest::Contains("while signing '"));
}

TEST_CASE("signatures that are moved to another image do not count there") {
  Remote remote;
  const oci::Descriptor image = remote.remote_image(kRepository, "1", {"layer"});
  const oci::Descriptor other = remote.remote_image(kRepository, "2", {"other"});
  sign_image(remote.session(), remote.reference("acme/app:1"), p256_key());
  RegistryClient client = remote.client();
  for (const auto& [from, to] :
       {std::pair(signature_tag(image.digest), signature_tag(other.digest)),
        std::pair(referrers_fallback_tag(image.digest), referrers_fallback_tag(other.digest))}) {
    const FetchedManifest fetched = client.fetch_manifest(kRepository, from);
    client.put_manifest(kRepository, to, fetched.bytes, fetched.descriptor.media_type);
  }
  const VerifiedImage verified =
      verify_signatures(remote.session(), remote.reference("acme/app:2"), p256_key().public_key());
  CHECK_FALSE(verified.is_signed());
  REQUIRE(verified.signatures.size() == 2);
  for (const FoundSignature& found : verified.signatures) CHECK(found.problem == "it is a signature of another image");
}

TEST_CASE("attestations and other artifacts of an image are no signatures of it") {
  Remote remote;
  const oci::Descriptor image = remote.remote_image(kRepository, "1", {"layer"});
  RegistryClient client = remote.client();
  attach_referrer(client, kRepository, image, {"application/x-sbom", {{"text/plain", "sbom"}}});
  attach_referrer(client, kRepository, image,
                  {kBundleType,
                   {{kBundleType, "an attestation that is not read"}},
                   {},
                   {{kBundlePredicateAnnotation, "https://spdx.dev/Document"}}});
  CHECK(
      verify_signatures(remote.session(), remote.reference("acme/app:1"), p256_key().public_key()).signatures.empty());
}

TEST_CASE("a signature that is damaged, lost or too large is told, and another one still counts") {
  Remote remote;
  const oci::Descriptor image = remote.remote_image(kRepository, "1", {"layer"});
  RegistryClient client = remote.client();
  const auto attach = [&](const std::string& bytes) {
    attach_referrer(client, kRepository, image, {kBundleType, {{kBundleType, bytes}}});
  };
  attach("{");
  attach("lost");
  remote.registry.drop_blob(kRepository, oci::sha256_of("lost").str());
  attach(std::string((std::size_t{1} << 20) + 1, 'x'));
  attach(std::string(std::size_t{1} << 20, 'x'));
  oci::Descriptor gone{oci::media_type::kOciManifest, oci::sha256_of("gone"), 4, {}, {}, kBundleType};
  client.add_to_fallback_tag(kRepository, image.digest, gone);
  sign_image(remote.session(), remote.reference("acme/app:1"), p256_key(), {{SignatureForm::bundle}});
  const VerifiedImage verified =
      verify_signatures(remote.session(), remote.reference("acme/app:1"), p256_key().public_key());
  CHECK(verified.is_signed());
  REQUIRE(verified.signatures.size() == 5);
  CHECK(verified.signatures[0].problem.find("the bundle") != std::string::npos);
  CHECK(verified.signatures[1].problem == "the registry has lost it");
  CHECK(verified.signatures[2].problem == "it has 1048577 bytes; more than 1048576 are not read");
  CHECK(verified.signatures[3].problem.find("the bundle") != std::string::npos);
}

TEST_CASE("more signatures than are read are refused, of either form") {
  Remote remote;
  const oci::Descriptor image = remote.remote_image(kRepository, "1", {"layer"});
  const auto refuse = [&](const char* why) {
    CHECK_ERROR(verify_signatures(remote.session(), remote.reference("acme/app:1"), p256_key().public_key()),
                Category::network, doctest::Contains(why));
  };
  oci::Manifest manifest;
  const std::string config = "{}";
  remote.registry.add_blob(kRepository, config);
  manifest.config = {oci::media_type::kOciConfig, oci::sha256_of(config), config.size(), {}, {}, {}};
  for (int i = 0; i < 1001; ++i)
    manifest.layers.push_back({kSimpleSigningType, oci::sha256_of(std::to_string(i)), 1, {}, {}, {}});
  remote.registry.add_manifest(kRepository, signature_tag(image.digest), oci::serialise(manifest), manifest.media_type);
  refuse("has 1001 signatures by tag; more than 1000 are not read");

  oci::Index bundles;
  for (int i = 0; i < 1001; ++i)
    bundles.manifests.push_back(
        {oci::media_type::kOciManifest, oci::sha256_of(std::to_string(i)), 1, {}, {}, kBundleType});
  remote.registry.add_manifest(kRepository, referrers_fallback_tag(image.digest), oci::serialise(bundles),
                               bundles.media_type);
  refuse("has 1001 signatures by bundle; more than 1000 are not read");
}

TEST_CASE("a signature that another machine overwrites is written again, and told where that never ends") {
  Remote remote;
  const oci::Descriptor image = remote.remote_image(kRepository, "1", {"layer"});
  const std::string tag = signature_tag(image.digest);
  // Read twice before the first time it is written. Then it is gone whenever it is looked for, as often as `lost` says.
  int reads = 0;
  int lost = 2;
  remote.registry.script([&](const SeenRequest& request, int) {
    if (!request.is("GET", "/manifests/" + tag) || ++reads <= 2 || lost == 0) return Reaction{};
    --lost;
    return Reaction{Kind::answer, {404, {}, ""}, 0};
  });
  sign_image(remote.session(), remote.reference("acme/app:1"), p256_key(), {{SignatureForm::tag}});
  CHECK(lost == 0);
  CHECK(remote.registry.count("PUT", "/manifests/" + tag) == 3);
  CHECK(tagged_at(remote, image.digest).layers.size() == 1);
  lost = 1000;
  CHECK_ERROR(sign_image(remote.session(), remote.reference("acme/app:1"), ed25519_key(), {{SignatureForm::tag}}),
              Category::network, doctest::Contains("and others overwrote it each time; sign again"));
}

TEST_CASE("an index is signed as one") {
  Remote remote;
  oci::Index index;
  for (const char* platform : {"linux/amd64", "linux/arm64"}) {
    index.manifests.push_back(remote.remote_image(kRepository, "", {platform}, platform));
    index.manifests.back().platform = oci::Platform::parse(platform);
  }
  const std::string text = oci::serialise(index);
  remote.registry.add_manifest(kRepository, "1", text, index.media_type);
  const SignedImage done = sign_image(remote.session(), remote.reference("acme/app:1"), p256_key());
  CHECK(done.image.digest == oci::sha256_of(text));
  CHECK(verify_signatures(remote.session(), remote.reference("acme/app:1"), p256_key().public_key()).is_signed());
}

TEST_CASE("a registry that refuses a subject keeps the bundle without, and that is told") {
  HostileOptions options;
  options.refuses_subjects = true;
  Remote remote(options);
  remote.remote_image(kRepository, "1", {"layer"});
  const SignedImage done = sign_image(remote.session(), remote.reference("acme/app:1"), p256_key());
  CHECK(done.refusal.find("MANIFEST_INVALID") != std::string::npos);
  CHECK(
      verify_signatures(remote.session(), remote.reference("acme/app:1"), p256_key().public_key()).signatures.size() ==
      2);
}
