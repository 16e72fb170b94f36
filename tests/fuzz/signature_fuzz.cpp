#include "base/error.hpp"
#include "builder/sign/signed_statement.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/unit/sign/test_keys.hpp"

// Any bytes as a signature beside an image, and as a key.
namespace kiln::fuzz {

namespace {

template <class Read>
void attempt(Read&& read) {
  try {
    read();
  } catch (const Error& error) {
    require(error.category() == Category::usage, "another category");
  }
}

}  // namespace

void fuzz_one(std::string_view input) {
  static const VerificationKey key = VerificationKey::parse(test::kCosignPublic, "the key");
  static const VerificationKey other = VerificationKey::parse(test::kEd25519Public, "the key");
  static const oci::Digest image = oci::Digest::parse(test::kSignedImage);
  sigstore_bundle_problem(input, image, key);
  require(!sigstore_bundle_problem(input, oci::sha256_of("another image"), key).empty(), "it counts for another image");
  simple_signing_problem(input, test::kCosignSignature, image, key);
  simple_signing_problem(test::kCosignPayload, input, image, other);
  attempt([&] { VerificationKey::parse(input, "the key"); });
  // Opening a key with a password takes a tenth of a second.
  if (input.find("ENCRYPTED") == std::string_view::npos)
    attempt([&] { SigningKey::parse(input, "the key", test::no_password_asked); });
}

std::vector<std::string> seeds() {
  return {test::kCosignBundle, test::kCosignEd25519Bundle, test::kCosignPayload, test::kCosignSignature, test::kP256Key,
          test::kP256KeySec1,  test::kEd25519Key,          test::kP256Public,    test::kEd25519Public};
}

std::vector<std::string> words() {
  return {"\"signatures\":[]", "\"sig\"", "dsseEnvelope", "null", "{", "}", "-----BEGIN ", "PRIVATE KEY-----", "=="};
}

}  // namespace kiln::fuzz
