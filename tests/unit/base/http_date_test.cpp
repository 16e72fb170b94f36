#include "base/http_date.hpp"

#include <doctest/doctest.h>

using namespace kiln;

TEST_CASE("the three forms of an HTTP date mean the same") {
  constexpr UnixSeconds kExample = 784111777;
  CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == kExample);
  CHECK(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT") == kExample);
  CHECK(parse_http_date("Sun Nov  6 08:49:37 1994") == kExample);
}

TEST_CASE("what is no HTTP date is nothing") {
  for (const char* text :
       {"", "120", "1994-11-06T08:49:37Z", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 GMT+1",
        "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 32 Nov 1994 08:49:37 GMT"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_http_date(text).has_value());
  }
}
