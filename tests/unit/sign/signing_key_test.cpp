#include "builder/sign/signing_key.hpp"

#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/text.hpp"
#include "builder/sign/encrypted_key.hpp"
#include "tests/support/check_error.hpp"
#include "tests/unit/sign/test_keys.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

// The document in a PEM block of cosign.
nlohmann::json document_of(std::string pem) {
  std::string text;
  for (const std::string_view line : split(pem, '\n')) {
    if (!line.starts_with("-----")) text += line;
  }
  return nlohmann::json::parse(*base64_decoded(text));
}

std::string open_document(const nlohmann::json& document) {
  return decrypted_key(document.dump(), kCosignPassword, "the key");
}

}  // namespace

TEST_CASE("what a key signs its public key verifies, and nothing else") {
  for (const char* pem : {kP256Key, kP256KeySec1, kEd25519Key}) {
    const SigningKey key = SigningKey::parse(pem, "the key", no_password_asked);
    const std::string signature = key.sign("message");
    CHECK(key.public_key().verifies("message", signature));
    CHECK_FALSE(key.public_key().verifies("messagf", signature));
    CHECK_FALSE(key.public_key().verifies("message", ""));
    CHECK_FALSE(key.public_key().verifies("message", signature.substr(1)));
    CHECK_FALSE(key.public_key().verifies("message", signature + "x"));
    std::string changed = signature;
    changed.back() = static_cast<char>(changed.back() ^ 1);
    CHECK_FALSE(key.public_key().verifies("message", changed));
  }
  CHECK_FALSE(p256_key().public_key().verifies("message", ed25519_key().sign("message")));
}

TEST_CASE("a public key is the one of its private key, whoever wrote it") {
  const VerificationKey p256 = VerificationKey::parse(kP256Public, "the key");
  CHECK(p256.verifies("message", p256_key().sign("message")));
  CHECK(p256.fingerprint() == p256_key().public_key().fingerprint());
  CHECK(p256.kind() == "ECDSA P-256");
  const VerificationKey ed25519 = VerificationKey::parse(kEd25519Public, "the key");
  CHECK(ed25519.verifies("message", ed25519_key().sign("message")));
  CHECK(ed25519.kind() == "Ed25519");
  // openssl pkey -pubin -outform DER | sha256sum
  const VerificationKey cosign = VerificationKey::parse(kCosignPublic, "the key");
  CHECK(cosign.fingerprint() == "sha256:46cc842db8c9ee480d027fdd74da654e7c513fd158313a9c3822937a3318bb8c");
  CHECK(cosign.hint() == "RsyELbjJ7kgNAn/ddNplTnxRP9FYMTqcOCKTejMYu4w=");
}

TEST_CASE("keys of cosign open with their password, which is asked for once and only then") {
  int asked = 0;
  const auto ask = [&] {
    ++asked;
    return std::string(kCosignPassword);
  };
  const VerificationKey expected = VerificationKey::parse(kCosignPublic, "the key");
  CHECK(SigningKey::parse(kCosignKey, "the key", ask).public_key().fingerprint() == expected.fingerprint());
  const std::string older = replaced(kCosignKey, "ENCRYPTED SIGSTORE", "ENCRYPTED COSIGN");
  CHECK(SigningKey::parse(older, "the key", ask).public_key().fingerprint() == expected.fingerprint());
  CHECK(asked == 2);
  const SigningKey unprotected = SigningKey::parse(kCosignEd25519Key, "the key", [] { return std::string(); });
  CHECK(unprotected.public_key().fingerprint() == ed25519_key().public_key().fingerprint());
}

TEST_CASE("a wrong password is told, and is not in the message") {
  CHECK_ERROR(SigningKey::parse(kCosignKey, "'cosign.key'", [] { return std::string("hunter2"); }), Category::usage,
              "the password does not open 'cosign.key', or the file is damaged");
}

TEST_CASE("an encrypted key whose numbers or names are others than cosign's is refused before any work") {
  CHECK_FALSE(open_document(document_of(kCosignKey)).empty());
  for (const char* n : {"0", "1", "16384", "32769", "262144", "9223372036854775808"}) {
    CAPTURE(n);
    nlohmann::json document = document_of(kCosignKey);
    document["kdf"]["params"]["N"] = nlohmann::json::parse(n);
    CHECK_ERROR(open_document(document), Category::usage,
                doctest::Contains("with r = 8 and p = 1, as cosign has them"));
  }
  for (const int n : {32768, 131072}) {
    CAPTURE(n);
    nlohmann::json document = document_of(kCosignKey);
    document["kdf"]["params"]["N"] = n;
    CHECK_ERROR(open_document(document), Category::usage, doctest::Contains("the password does not open the key"));
  }
  for (const char* name : {"r", "p"}) {
    nlohmann::json document = document_of(kCosignKey);
    document["kdf"]["params"][name] = name == std::string("r") ? 9 : 2;
    CHECK_ERROR(open_document(document), Category::usage, doctest::Contains("expected N of 32768, 65536 or 131072"));
  }
  const std::vector<std::pair<std::string, std::pair<nlohmann::json, std::string>>> others = {
      {"/kdf/name", {"argon2id", "the key: 'kdf/name': expected 'scrypt', got 'argon2id'"}},
      {"/cipher/name", {"aes", "the key: 'cipher/name': expected 'nacl/secretbox', got 'aes'"}},
      {"/cipher/nonce", {"QUJD", "the key: 'cipher/nonce': expected 24 bytes"}},
      {"/kdf/salt", {"%", "the key: 'kdf/salt': expected base64"}},
      {"/kdf/salt", {std::string(1400, 'A'), "the key: 'kdf/salt': expected at most 1024 bytes"}},
      {"/ciphertext", {"QUJD", "the key: 'ciphertext': it is too short"}},
      {"/kdf", {1, "the key: 'kdf': expected an object"}},
  };
  for (const auto& [pointer, change] : others) {
    nlohmann::json document = document_of(kCosignKey);
    document[nlohmann::json::json_pointer(pointer)] = change.first;
    CHECK_ERROR(open_document(document), Category::usage, change.second.c_str());
  }
}

TEST_CASE("what is no key that can be used is refused with what to do") {
  const auto parse = [](const std::string& pem) { return SigningKey::parse(pem, "'k'", no_password_asked); };
  CHECK_ERROR(parse("hello"), Category::usage, doctest::Contains("'k' is no private key in PEM; 'cosign generate"));
  CHECK_ERROR(parse(kP256Public), Category::usage, "'k' holds a public key, expected the private one");
  CHECK_ERROR(parse(kP384Key), Category::usage,
              "'k' is of a kind that kiln does not sign with (EC); expected ECDSA on P-256 or Ed25519");
  CHECK_ERROR(parse(replaced(kP256Key, "PRIVATE KEY", "ENCRYPTED PRIVATE KEY")), Category::usage,
              doctest::Contains("is encrypted by OpenSSL"));
  CHECK_ERROR(parse("-----BEGIN PRIVATE KEY-----\nQUJD\n-----END PRIVATE KEY-----\n"), Category::usage,
              "'k' holds no private key that OpenSSL can read");
  CHECK_ERROR(parse("-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"), Category::usage,
              doctest::Contains("'k' is no private key in PEM but 'CERTIFICATE'"));

  const auto parse_public = [](const std::string& pem) { return VerificationKey::parse(pem, "'k'"); };
  CHECK_ERROR(parse_public("hello"), Category::usage, "'k' is no public key in PEM (-----BEGIN PUBLIC KEY-----)");
  CHECK_ERROR(parse_public(kP256Key), Category::usage,
              doctest::Contains("'k' holds a private key, expected the public"));
  CHECK_ERROR(parse_public(kCosignKey), Category::usage, doctest::Contains("'k' holds a private key"));
  CHECK_ERROR(parse_public(kP384Public), Category::usage, doctest::Contains("expected ECDSA on P-256 or Ed25519"));
  CHECK_ERROR(parse_public("-----BEGIN PUBLIC KEY-----\nQUJD\n-----END PUBLIC KEY-----\n"), Category::usage,
              doctest::Contains("'k' is no public key in PEM"));
}

TEST_CASE("a key is read to 64 KiB, and a larger text is none") {
  const auto of_bytes = [](std::string pem, std::size_t bytes) {
    pem.resize(bytes, '\n');
    return pem;
  };
  const std::string read = of_bytes(kP256Key, 65'536);
  CHECK(SigningKey::parse(read, "'k'", no_password_asked).public_key().fingerprint() ==
        p256_key().public_key().fingerprint());
  CHECK_ERROR(SigningKey::parse(of_bytes(kP256Key, 65'537), "'k'", no_password_asked), Category::usage,
              doctest::Contains("'k' is no private key in PEM"));
  CHECK(VerificationKey::parse(of_bytes(kP256Public, 65'536), "'k'").kind() == "ECDSA P-256");
  CHECK_ERROR(VerificationKey::parse(of_bytes(kP256Public, 65'537), "'k'"), Category::usage,
              doctest::Contains("'k' is no public key in PEM"));
}
