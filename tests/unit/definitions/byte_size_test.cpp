#include "builder/definitions/byte_size.hpp"

#include <doctest/doctest.h>

using kiln::parse_byte_size;

TEST_CASE("sizes are decimal or binary by their unit") {
  CHECK(parse_byte_size("200MB") == 200'000'000);
  CHECK(parse_byte_size("200 MB") == 200'000'000);
  CHECK(parse_byte_size("1.5GiB") == 1'610'612'736);
  CHECK(parse_byte_size("512B") == 512);
  CHECK(parse_byte_size("2kB") == 2000);
  CHECK(parse_byte_size("2KB") == 2000);
  CHECK(parse_byte_size("2KiB") == 2048);
  CHECK(parse_byte_size("1TB") == 1'000'000'000'000);
}

TEST_CASE("what is no size is refused") {
  for (const char* text :
       {"", "MB", "200", "-1MB", "1.2.3MB", "1mb", "1 MB x", ".5MB", "1.MB", "1e3MB", "99999999TB"}) {
    INFO(text);
    CHECK_FALSE(parse_byte_size(text));
  }
}
