#include "base/append_number.hpp"

#include <doctest/doctest.h>

#include <limits>

using namespace kiln;

TEST_CASE("the digits of a number come behind what the text holds") {
  std::string text = "mode ";
  append_number(text, 0755, 8);
  text += ' ';
  append_number(text, std::numeric_limits<std::uint64_t>::max());
  text += ' ';
  append_signed(text, std::numeric_limits<std::int64_t>::min());
  text += ' ';
  append_number(text, 0);
  CHECK(text == "mode 755 18446744073709551615 -9223372036854775808 0");
}
