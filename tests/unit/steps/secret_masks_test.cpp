#include "builder/steps/secret_masks.hpp"

#include <doctest/doctest.h>

#include <string>

#include "base/base64.hpp"

namespace kiln {

namespace {

SecretMasks masks_of(std::string_view secret) {
  SecretMasks masks;
  masks.add(secret);
  return masks;
}

}  // namespace

TEST_CASE("a secret is masked in letters of either case and in any encoding of a URL") {
  const SecretMasks masks = masks_of("Tok en/5%41\n");
  for (const char* shown : {"Tok en/5%41", "tok%20en/5%41", "%54ok%20EN%2f5%2541", "TOK EN/5a"}) {
    CAPTURE(shown);
    CHECK(masks.masked("http://h/x-" + std::string(shown) + "/y%2") == "http://h/x-***/y%2");
  }
  CHECK(masks.masked("http://tok%20.example/%zz") == "http://tok%20.example/%zz");
  CHECK(masks_of("abc").masked("abc") == "abc");
}

TEST_CASE("lines and words of a file of secrets are masked, and hosts in it are not") {
  const SecretMasks netrc = masks_of(
      "machine pypi.example login ada-user password s3cret:wOrd/x\nmachine b.example login me password pw12\n");
  CHECK(netrc.masked("http://pypi.example/s3cret%3AwOrd/x/ada-user") == "http://pypi.example/***/***");
  CHECK(netrc.masked("http://b.example/simple/pw12") == "http://b.example/simple/pw12");
  const SecretMasks env = masks_of("A=first-value\r\nINDEX=https://u:second-value@host.example/simple/\nshort\n");
  CHECK(env.masked("http://first-value.host.example/second-value/SHORT/simple") ==
        "http://***.host.example/***/***/simple");
}

TEST_CASE("base64 of a secret is masked, whatever stands before it") {
  const std::string secret = "s3cret?>~wOrd";
  const SecretMasks masks = masks_of("user:other\n" + secret + "\n");
  for (const char* before : {"", "a", "ab", "abc", "user:"}) {
    for (const char* behind : {"", "\n", ":xy"}) {
      std::string digits = base64_encoded(before + secret + behind);
      for (int alphabet = 0; alphabet < 2; ++alphabet) {
        CAPTURE(digits);
        const std::string masked = masks.masked(digits);
        CHECK(masked.find("***") != std::string::npos);
        CHECK(masked.size() <= 3 + std::string(before).size() * 2 + std::string(behind).size() * 2 + 5);
        for (char& c : digits) c = c == '+' ? '-' : c == '/' ? '_' : c;
      }
    }
  }
}

TEST_CASE("the longest of two that begin at a place is masked") {
  SecretMasks masks = masks_of("t0ken");
  masks.add("t0kent0ken2");
  CHECK(masks.masked("/t0kent0ken2/t0kent0ken") == "/***/******");
}

}  // namespace kiln
