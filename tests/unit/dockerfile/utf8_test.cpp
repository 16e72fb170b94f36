#include "builder/dockerfile/utf8.hpp"

#include "tests/unit/dockerfile/support.hpp"

namespace kiln::dockerfile {
namespace {

TEST_CASE("characters of one to four bytes, and invalid bytes one by one") {
  CHECK(rune_at("a", 0).value == 'a');
  CHECK(rune_at("\xC3\xA9", 0).value == 0xE9);
  CHECK(rune_at("\xED\x95\x9C", 0).size == 3);
  CHECK(rune_at("\xF0\x9F\x98\x80", 0).value == 0x1F600);
  for (const char* bad : {"\xFF", "\xC3", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\x80"}) {
    CHECK(rune_at(bad, 0).size == 1);
    CHECK(rune_at(bad, 0).value == 0xFFFD);
  }
}

TEST_CASE("letters and spaces beyond ASCII") {
  CHECK(is_letter(0xD55C));
  CHECK(is_letter(0xE9));
  CHECK_FALSE(is_letter(0x2014));
  CHECK_FALSE(is_letter(0x1F600));
  CHECK(trim_spaces("\xC2\xA0 a b\xE2\x80\x83\n") == "a b");
}

}  // namespace
}  // namespace kiln::dockerfile
