#include "base/credentials.hpp"

#include <doctest/doctest.h>

using namespace kiln;

TEST_CASE("credentials of URLs are masked wherever they stand in a text") {
  CHECK(without_url_credentials("ADD http://ada:T0KEN@host/a https://t0ken@host:1/b /x") ==
        "ADD http://xxxxx:xxxxx@host/a https://xxxxx@host:1/b /x");
  CHECK(without_url_credentials("ssh://git:pw@host/r") == "ssh://xxxxx:xxxxx@host/r");
  CHECK(without_url_credentials("E: http://ada:se@cret@mirror.example/debian x") ==
        "E: http://xxxxx:xxxxx@mirror.example/debian x");
  CHECK(without_url_credentials("'http://a:b@c@host/'") == "'http://xxxxx:xxxxx@host/'");
}

TEST_CASE("of a user no more is told than which of its parts there were") {
  CHECK(masked_user("ada:pw") == "xxxxx:xxxxx");
  CHECK(masked_user("t0ken") == "xxxxx");
  CHECK(masked_user(":pw") == ":xxxxx");
  CHECK(masked_user("") == "");
}

TEST_CASE("text without credentials stays as it is") {
  for (const char* text : {"", "ssh://git@host/r", "git@host:acme/r", "http://host/a@b", "http://host?user=a@b", "://",
                           "http://", "mail a@b http://host"}) {
    CAPTURE(text);
    CHECK(without_url_credentials(text) == text);
  }
}

TEST_CASE("a value is masked wherever it counts, and the longer before one that is a part of it") {
  CHECK(with_mask_for("a pw b pwpw", "pw") == "a *** b ******");
  CHECK(with_mask_for("a pw b pw", "pw", [](std::size_t at, std::size_t size) { return at > 2 && size == 2; }) ==
        "a pw b ***");
  std::vector<std::string> values = {"t0ken", "t0kent0ken2", "other"};
  sort_for_masking(values);
  CHECK(values == std::vector<std::string>{"t0kent0ken2", "t0ken", "other"});
}

TEST_CASE("a value is masked where it stands percent-encoded, wholly or in part") {
  const std::string value = "a/b c%d";
  for (const char* shown :
       {"a/b c%d", "a%2Fb%20c%25d", "a%2fb%20c%25d", "%61%2F%62%20%63%25%64", "a/b%20c%25d", "%61/b c%d"}) {
    CAPTURE(shown);
    CHECK(with_mask_for("http://h/x-" + std::string(shown) + "/y%", value) == "http://h/x-***/y%");
  }
  CHECK(with_mask_for("a%2Fb%20c%25", value) == "a%2Fb%20c%25");
  CHECK(with_mask_for("%70%77 %70 pw", "pw", [](std::size_t, std::size_t size) { return size == 6; }) == "*** %70 pw");
  CHECK(with_mask_for("%25%2525", "%25") == "******");
  CHECK(with_mask_for("%\xc3%A9", "\xc3\xa9") == "%***");
  CHECK(with_mask_for("text", "") == "text");
}

TEST_CASE("a value is masked in letters of either case") {
  CHECK(with_mask_for("http://t0ken-a.example/T0kEn-A/%74%30KEN-a", "T0ken-A") == "http://***.example/***/***");
  CHECK(with_mask_for("\xc3\x89", "\xe3\x89") == "\xc3\x89");
}
