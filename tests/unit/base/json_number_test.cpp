#include "base/json_number.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

using namespace kiln;
using nlohmann::json;

TEST_CASE("a number is taken as it is, or not at all") {
  CHECK(json_number<int>(json::parse("7")) == 7);
  CHECK(json_number<int>(json::parse("-7")) == -7);
  CHECK(json_number<int>(json::parse("2147483647")) == 2147483647);
  CHECK_FALSE(json_number<int>(json::parse("2147483648")));
  CHECK_FALSE(json_number<int>(json::parse("-2147483649")));
  CHECK_FALSE(json_number<int>(json::parse("9.67e29")));
  CHECK_FALSE(json_number<int>(json::parse("1e70")));
  CHECK_FALSE(json_number<int>(json::parse("1.0")));
  CHECK_FALSE(json_number<int>(json::parse("\"1\"")));
  CHECK_FALSE(json_number<int>(json::parse("true")));
  CHECK(json_number<std::uint64_t>(json::parse("18446744073709551615")) == 18446744073709551615u);
  CHECK_FALSE(json_number<std::uint64_t>(json::parse("-1")));
  CHECK_FALSE(json_number<std::int64_t>(json::parse("18446744073709551615")));
  CHECK(json_number<double>(json::parse("1e70")) == 1e70);
  CHECK(json_number<double>(json::parse("3")) == 3.0);
  CHECK_FALSE(json_number<double>(json::parse("null")));
}
