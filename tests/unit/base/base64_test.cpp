#include "base/base64.hpp"

#include <doctest/doctest.h>

using namespace kiln;

TEST_CASE("base64 goes there and back") {
  CHECK(base64_encoded("") == "");
  CHECK(base64_encoded("f") == "Zg==");
  CHECK(base64_encoded("fo") == "Zm8=");
  CHECK(base64_encoded("foo") == "Zm9v");
  CHECK(base64_encoded("foobar") == "Zm9vYmFy");
  for (const char* text : {"", "f", "fo", "foo", "foob", "\xff\xfe\x01"})
    CHECK(base64_decoded(base64_encoded(text)) == text);
  CHECK(base64_decoded("Zg") == "f");
}

TEST_CASE("what is no base64 is nothing") {
  CHECK_FALSE(base64_decoded("Z").has_value());
  CHECK_FALSE(base64_decoded("Zm9v!").has_value());
  CHECK_FALSE(base64_decoded("Zm9v Zm9v").has_value());
}
