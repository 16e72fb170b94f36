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

TEST_CASE("a character that is written is read again") {
  for (const char32_t code :
       {U'A', U'\u007f', U'\u0080', U'\u07ff', U'\u0800', U'\uffff', U'\U00010000', U'\U0010FFFF'}) {
    std::string text;
    append_utf8(text, code);
    CHECK(next_character(text).code == code);
    CHECK(next_character(text).length == text.size());
  }
}

TEST_CASE("a text is UTF-8 where all of it is, the replacement character too") {
  CHECK(is_utf8(""));
  CHECK(is_utf8("a\u00fc\ufffd\U0001F525"));
  CHECK_FALSE(is_utf8("a\xC3"));
  CHECK_FALSE(is_utf8("\xED\xA0\x80"));
}
