#include "base/utf8.hpp"

#include <doctest/doctest.h>

using namespace kiln;

TEST_CASE("characters of every length are read") {
  CHECK(next_character("A").code == U'A');
  CHECK(next_character("\u00fcx").code == U'\u00fc');
  CHECK(next_character("\u00fcx").length == 2);
  CHECK(next_character("\u7a91").code == U'\u7a91');
  CHECK(next_character("\U0001F525").code == U'\U0001F525');
  CHECK(next_character("\U0010FFFF").length == 4);
}

TEST_CASE("overlong forms, surrogates and what lies above U+10FFFF are no characters") {
  for (const char* bad : {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
                          "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xC3(", "\xE2\x82", "\xFF"}) {
    CAPTURE(bad);
    CHECK(next_character(bad).code == kReplacementCharacter);
    CHECK(next_character(bad).length == 1);
  }
}

TEST_CASE("a sequence is incomplete only as long as it can still become valid") {
  CHECK(utf8_state("") == Utf8State::incomplete);
  CHECK(utf8_state("\xE2") == Utf8State::incomplete);
  CHECK(utf8_state("\xE2\x82") == Utf8State::incomplete);
  CHECK(utf8_state("\xE2\x82\xAC") == Utf8State::complete);
  CHECK(utf8_state("\xE2\x82\xAC\x80") == Utf8State::invalid);
  CHECK(utf8_state("\xED\xA0") == Utf8State::invalid);
  CHECK(utf8_state("\xE2(") == Utf8State::invalid);
}
