#include "builder/sign/signed_statement.hpp"

#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "tests/support/check_error.hpp"
#include "tests/unit/sign/test_keys.hpp"

using namespace kiln;
using namespace kiln::test;
using nlohmann::json;

namespace {

const oci::Digest kImage = oci::Digest::parse(kSignedImage);
const oci::Digest kOther = oci::sha256_of("another image");

VerificationKey public_key(const char* pem) { return VerificationKey::parse(pem, "the key"); }

// A bundle around any statement, signed.
std::string bundle_of(const json& statement, const SigningKey& key) {
  const std::string payload = statement.dump();
  const std::string type = "application/vnd.in-toto+json";
  const std::string message =
      "DSSEv1 " + std::to_string(type.size()) + " " + type + " " + std::to_string(payload.size()) + " " + payload;
  json bundle = json::parse(sigstore_bundle(kImage, key));
  bundle["dsseEnvelope"]["payload"] = base64_encoded(payload);
  bundle["dsseEnvelope"]["signatures"][0]["sig"] = base64_encoded(key.sign(message));
  return bundle.dump();
}

json statement_in(const std::string& bundle) {
  return json::parse(*base64_decoded(json::parse(bundle)["dsseEnvelope"]["payload"].get<std::string>()));
}

}  // namespace

TEST_CASE("the payload of simple signing is cosign's, byte for byte") {
  CHECK(simple_signing_payload("127.0.0.1:5997/acme/app", kImage) == kCosignPayload);
}

TEST_CASE("cosign's signatures of both forms are verified, those of its Ed25519 keys too") {
  CHECK(simple_signing_problem(kCosignPayload, kCosignSignature, kImage, public_key(kCosignPublic)) == "");
  CHECK(simple_signing_problem(kCosignPayload, kCosignEd25519Signature, kImage, public_key(kEd25519Public)) == "");
  CHECK(sigstore_bundle_problem(kCosignBundle, kImage, public_key(kCosignPublic)) == "");
  CHECK(sigstore_bundle_problem(kCosignEd25519Bundle, kImage, public_key(kEd25519Public)) == "");
}

TEST_CASE("a signature of another key or image does not count") {
  const VerificationKey right = public_key(kCosignPublic);
  CHECK(simple_signing_problem(kCosignPayload, kCosignSignature, kImage, public_key(kP256Public)) ==
        "it is not by this key");
  CHECK(simple_signing_problem(kCosignPayload, kCosignSignature, kOther, right) ==
        "it is a signature of another image");
  CHECK(simple_signing_problem(kCosignPayload, "", kImage, right) == "it has no signature in base64");
  CHECK(simple_signing_problem(kCosignPayload, "%", kImage, right) == "it has no signature in base64");
  CHECK(sigstore_bundle_problem(kCosignBundle, kImage, public_key(kEd25519Public)) == "it is not by this key");
  CHECK(sigstore_bundle_problem(kCosignBundle, kOther, right) == "it is a signature of another image");
}

TEST_CASE("kiln's own bundles are verified, and name the key as cosign does") {
  for (const SigningKey& key : {p256_key(), ed25519_key()}) {
    const std::string bundle = sigstore_bundle(kImage, key);
    CHECK(sigstore_bundle_problem(bundle, kImage, key.public_key()) == "");
    const json document = json::parse(bundle);
    CHECK(document["verificationMaterial"]["publicKey"]["hint"] == key.public_key().hint());
    const json expected = {{"_type", "https://in-toto.io/Statement/v1"},
                           {"subject", {{{"digest", {{"sha256", kImage.hex()}}}}}},
                           {"predicateType", "https://sigstore.dev/cosign/sign/v1"},
                           {"predicate", json::object()}};
    CHECK(statement_in(bundle) == expected);
  }
}

TEST_CASE("a statement that is signed and says something else is no signature of the image") {
  const SigningKey key = p256_key();
  const VerificationKey& own = key.public_key();
  json statement = statement_in(sigstore_bundle(kImage, key));
  CHECK(sigstore_bundle_problem(bundle_of(statement, key), kImage, own) == "");
  json changed = statement;
  changed["predicateType"] = "https://spdx.dev/Document";
  CHECK(sigstore_bundle_problem(bundle_of(changed, key), kImage, own) ==
        "it is an attestation of type 'https://spdx.dev/Document', no signature");
  changed = statement;
  changed["_type"] = "https://in-toto.io/Statement/v0.1";
  CHECK(sigstore_bundle_problem(bundle_of(changed, key), kImage, own) ==
        "its statement is of another type than 'https://in-toto.io/Statement/v1'");
  changed = statement;
  changed["subject"] = json::array();
  CHECK(sigstore_bundle_problem(bundle_of(changed, key), kImage, own) == "it is a signature of another image");
  changed = statement;
  changed["subject"][0]["digest"] = {{"sha512", kImage.hex()}};
  CHECK(sigstore_bundle_problem(bundle_of(changed, key), kImage, own) == "it is a signature of another image");

  json payload = json::parse(simple_signing_payload("a/b", kImage));
  payload["critical"]["type"] = "atomic container signature";
  CHECK(simple_signing_problem(payload.dump(), base64_encoded(key.sign(payload.dump())), kImage, own) ==
        "its type is 'atomic container signature', expected 'cosign container image signature'");
}

TEST_CASE("a damaged bundle says what is wrong with it") {
  const SigningKey key = p256_key();
  const auto problem = [&](const std::string& pointer, const json& value) {
    json bundle = json::parse(sigstore_bundle(kImage, key));
    bundle[json::json_pointer(pointer)] = value;
    return sigstore_bundle_problem(bundle.dump(), kImage, key.public_key());
  };
  CHECK(problem("/mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.1") ==
        "its type is 'application/vnd.dev.sigstore.bundle+json;version=0.1', expected "
        "'application/vnd.dev.sigstore.bundle.v0.3+json'");
  CHECK(problem("/dsseEnvelope", nullptr) == "it has no DSSE envelope");
  CHECK(problem("/dsseEnvelope/payloadType", "text/plain") ==
        "its payload is of type 'text/plain', expected 'application/vnd.in-toto+json'");
  CHECK(problem("/dsseEnvelope/signatures", json::array()) == "it has 0 signatures, expected one");
  CHECK(problem("/dsseEnvelope/payload", "%").find("expected base64") != std::string::npos);
  CHECK(problem("/dsseEnvelope/payload", base64_encoded("{}")) == "it is not by this key");
  CHECK(sigstore_bundle_problem("{", kImage, key.public_key()).find("the bundle") != std::string::npos);
  CHECK(sigstore_bundle_problem("[]", kImage, key.public_key()).find("the bundle") != std::string::npos);
}
