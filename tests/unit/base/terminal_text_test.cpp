#include "base/terminal_text.hpp"

#include <doctest/doctest.h>

using namespace kiln;

TEST_CASE("wide characters take two columns, combining marks none") {
  CHECK(display_width("") == 0);
  CHECK(display_width("kiln") == 4);
  CHECK(display_width("Gr\u00fc\u00dfe") == 5);
  CHECK(display_width("e\u0301") == 1);
  CHECK(display_width("\u7a91") == 2);
  CHECK(display_width("\U0001F525!") == 3);
  CHECK(display_width("\u2501\u2501") == 2);
  CHECK(display_width("a\u200bb") == 2);
  CHECK(display_width("\xff\xfe") == 2);
}

TEST_CASE("a text is cut only where it does not fit, and never inside a character") {
  CHECK(fit_width("requirements", 12) == "requirements");
  CHECK(fit_width("requirements", 11) == "requirem...");
  CHECK(fit_width("requirements", 3) == "...");
  CHECK(fit_width("requirements", 2) == "..");
  CHECK(fit_width("requirements", 0) == "");
  CHECK(fit_width("\u7a91\u7a91\u7a91", 6) == "\u7a91\u7a91\u7a91");
  CHECK(fit_width("\u7a91\u7a91\u7a91", 5) == "\u7a91...");
  CHECK(fit_width("\u7a91\u7a91\u7a91", 4) == "...");
}

TEST_CASE("padding counts columns and leaves longer texts alone") {
  CHECK(pad_right("ab", 4) == "ab  ");
  CHECK(pad_right("\u7a91", 4) == "\u7a91  ");
  CHECK(pad_right("abcdef", 4) == "abcdef");
}
