#include "builder/definitions/hcl/number.hpp"

#include <doctest/doctest.h>

using kiln::hcl::Number;

namespace {

Number number(const char* text) {
  const auto result = Number::parse(text);
  REQUIRE(result);
  return *result;
}

}  // namespace

TEST_CASE("numbers are decimals of any size and print as they are") {
  CHECK(number("0.10").text() == "0.1");
  CHECK(number("1e3").text() == "1000");
  CHECK(number("-12.50e-3").text() == "-0.0125");
  CHECK(number("123456789012345678901234567890").text() == "123456789012345678901234567890");
  CHECK((number("0.1") + number("0.2")) == number("0.3"));
  CHECK((number("99999999999999999999") + number("1")).text() == "100000000000000000000");
  CHECK((number("1") - number("1000000000")).text() == "-999999999");
  CHECK((number("-3") * number("0.5")).text() == "-1.5");
}

TEST_CASE("a quotient is rounded, and multiplied by its divisor is the dividend again") {
  CHECK((number("10") / number("4")).text() == "2.5");
  CHECK((number("100") / number("3") * number("3")).text() == "100");
  CHECK((number("1") / number("3")).text().size() == 157);
  CHECK((number("-7") % number("3")).text() == "-1");
  CHECK((number("7.5") % number("2")).text() == "1.5");
  const Number large = number("123456789012345678901234567890");
  CHECK((large % number("11")).text() == "7");
  CHECK((large % number("9876543210987")).text() == "1249943839404");
  CHECK((large % number("10")).is_zero());
}

TEST_CASE("numbers are rounded down, up and to places") {
  CHECK(number("-1.2").floor() == number("-2"));
  CHECK(number("-1.2").ceil() == number("-1"));
  CHECK(number("1.9").truncated() == number("1"));
  CHECK(number("1.005").fixed_text(2) == "1.00");
  CHECK(number("2.675").fixed_text(2) == "2.68");
  CHECK(number("0").fixed_text(3) == "0.000");
  CHECK(number("-12").fixed_text(0) == "-12");
  CHECK(number("255").text_in_base(16) == "ff");
}

TEST_CASE("what is no number, or none that fits, is none") {
  for (const char* text : {"", "x", "1x", "--1", "1e", "1e99999", ".", "0x10"}) CHECK_FALSE(Number::parse(text));
  CHECK_FALSE(number("1.5").to_int64());
  CHECK_FALSE(number("9223372036854775808").to_int64());
  CHECK(number("-9223372036854775807").to_int64() == -9223372036854775807);
  CHECK(Number::parse_digits("zZ", 62) == number("2231"));
  CHECK_FALSE(Number::parse_digits("12", 2));
  CHECK(number("2") < number("10"));
  CHECK_FALSE(number("-1") < number("-2"));
}
