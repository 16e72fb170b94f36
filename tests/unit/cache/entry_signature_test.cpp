#include "builder/cache/entry_signature.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;

namespace {

// openssl genpkey -algorithm ed25519, openssl pkey -pubout
constexpr char kPrivate[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
    "-----END PRIVATE KEY-----\n";
constexpr char kPublic[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
    "-----END PUBLIC KEY-----\n";
// RFC 8032, section 7.1, test 2.
constexpr char kOtherPublic[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=\n"
    "-----END PUBLIC KEY-----\n";

CacheEntry signed_entry() {
  CacheEntry entry;
  entry.key = std::string(64, 'a');
  entry.media_type = kStepEntryType;
  entry.content = "{}";
  EntrySignatures signatures;
  signatures.sign_with(kPrivate, "the test's key");
  entry.signature = signatures.sign(entry);
  return entry;
}

EntrySignatures trusting(const char* pem) {
  EntrySignatures signatures;
  signatures.trust(pem, "the test's key");
  return signatures;
}

}  // namespace

TEST_CASE("without trusted keys any entry may be used") {
  CacheEntry entry = signed_entry();
  entry.signature.clear();
  CHECK(EntrySignatures().problem(entry) == "");
  CHECK_FALSE(EntrySignatures().is_required());
}

TEST_CASE("an entry signed by a trusted key may be used") { CHECK(trusting(kPublic).problem(signed_entry()) == ""); }

TEST_CASE("an entry without a signature may not be used where keys are trusted") {
  CacheEntry entry = signed_entry();
  entry.signature.clear();
  CHECK(trusting(kPublic).problem(entry) == "it is not signed");
}

TEST_CASE("an entry signed by somebody else may not be used") {
  CHECK(trusting(kOtherPublic).problem(signed_entry()).find("which is not trusted") != std::string::npos);
}

TEST_CASE("a signature holds for the content, the key and the kind of the entry alone") {
  const EntrySignatures signatures = trusting(kPublic);
  CacheEntry entry = signed_entry();
  SUBCASE("content") { entry.content = "[]"; }
  SUBCASE("key") { entry.key[0] = 'b'; }
  SUBCASE("kind") { entry.media_type = kBundleEntryType; }
  CHECK(signatures.problem(entry) == "its signature is wrong");
}

TEST_CASE("a damaged signature is said to be damaged") {
  CacheEntry entry = signed_entry();
  SUBCASE("cut") { entry.signature.resize(40); }
  SUBCASE("another kind") { entry.signature.replace(0, 7, "rsa-pss"); }
  CHECK(trusting(kPublic).problem(entry) == "its signature is damaged");
}

TEST_CASE("what is no key is refused without showing it") {
  EntrySignatures signatures;
  CHECK(error_of([&] { signatures.trust("nothing", "'keys.pem'"); }) ==
        "usage: 'keys.pem' is no Ed25519 public key in PEM; make one with 'openssl genpkey -algorithm ed25519' and "
        "'openssl pkey -pubout'");
  try {
    signatures.sign_with(std::string(kPublic), "'key.pem'");
    FAIL("not refused");
  } catch (const Error& error) {
    CHECK(error.category() == Category::usage);
    CHECK(error.message().find("'key.pem'") != std::string::npos);
    CHECK(error.message().find("MCow") == std::string::npos);
  }
}
