#include "registry/oci/digest.hpp"

#include <doctest/doctest.h>

#include <unordered_set>

#include "tests/support/check_error.hpp"

using namespace kiln;
using namespace kiln::oci;

TEST_CASE("SHA-256 of known texts") {
  CHECK(sha256_of("").str() == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_of("abc").str() == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("a stream in pieces has the digest of the whole, and the object starts anew") {
  Sha256 hash;
  for (const char* piece : {"a", "", "bc"}) hash.update(piece);
  CHECK(hash.finish() == sha256_of("abc"));
  CHECK(hash.finish() == sha256_of(""));
  hash.update("abc");
  Sha256 moved = std::move(hash);
  CHECK(moved.finish() == sha256_of("abc"));
}

TEST_CASE("only lower-case digits of the right number are a digest") {
  const std::string hex(64, 'a');
  CHECK(Digest::is_valid("sha256:" + hex));
  CHECK(Digest::is_valid("sha512:" + hex + hex));
  for (const std::string& bad :
       {std::string(), std::string("sha256:"), "sha256:" + hex + "a", "sha256:" + hex.substr(1), hex, "SHA256:" + hex,
        "sha256:" + std::string(64, 'A'), "sha256:" + hex.substr(1) + "g", "sha512:" + hex, "md5:" + hex,
        " sha256:" + hex, "sha256:../" + hex.substr(3), "sha256:" + hex + "\n"}) {
    CAPTURE(bad);
    CHECK_FALSE(Digest::is_valid(bad));
    CHECK_ERROR(Digest::parse(bad), Category::usage, doctest::Contains("is not of the form sha256:<64 hex digits>"));
  }
}

TEST_CASE("a text that is no digest is shown safely, with what it should have been") {
  try {
    Digest::parse("sha256:\x1b[31m", "layer of 'x'", Category::network);
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.category() == Category::network);
    CHECK(error.message() == "layer of 'x' 'sha256:\\x1b[31m' is not of the form sha256:<64 hex digits>");
  }
}

TEST_CASE("the parts of a digest") {
  const Digest digest = sha256_of("abc");
  CHECK(digest.algorithm() == "sha256");
  CHECK(digest.hex() == digest.str().substr(7));
  CHECK(digest.short_hex() == "ba7816bf8f01");
  CHECK(Digest::from_sha256_hex(digest.hex()) == digest);
  CHECK(Digest::parse(digest.str()) == digest);
  CHECK(Digest().empty());
  CHECK(Digest().hex().empty());
  CHECK(Digest() < digest);
  CHECK(std::unordered_set<Digest>{digest, digest, Digest()}.size() == 2);
}
