#include <doctest/doctest.h>

#include "base/error.hpp"
#include "builder/steps/copy_plan.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;

namespace {
unsigned changed(std::string_view text, unsigned mode, bool is_directory = false) {
  return parse_chmod(text)(static_cast<std::uint16_t>(mode), is_directory);
}
}  // namespace

TEST_CASE("an octal mode replaces all bits") {
  CHECK(changed("755", 04644) == 0755);
  CHECK(changed("4755", 0644) == 04755);
  CHECK(changed("0413", 0777) == 0413);
}

TEST_CASE("symbolic modes are chmod's") {
  CHECK(changed("u+x", 0644) == 0744);
  CHECK(changed("go-rwx", 0777) == 0700);
  CHECK(changed("a=rX", 0644) == 0444);
  CHECK(changed("a=rX", 0755) == 0555);
  CHECK(changed("go=u", 0750) == 0777);
  CHECK(changed("u=rwX,go=rX", 0600, true) == 0755);
  CHECK(changed("u=rwx,g=rX,o=", 0600) == 0740);  // as BuildKit: X looks at the mode before all clauses
}

TEST_CASE("the sticky bit is nothing that others alone can have") {
  CHECK(changed("o+t", 04644) == 04644);
  CHECK(changed("uo+t", 0644) == 01644);
  CHECK(changed("u+t", 0644) == 01644);
  CHECK(changed("+t", 0644) == 01644);
}

TEST_CASE("only an octal mode is one for folders that are made on the way") {
  CHECK(octal_chmod("0711") == 0711);
  CHECK_FALSE(octal_chmod("u=rwx").has_value());
}

TEST_CASE("what is no mode is refused") {
  for (const char* text : {"", "-1", "abc", "u", "u=rw,g", "u+q", "u=rwx,,"}) {
    CAPTURE(text);
    CHECK(error_of([&] { parse_chmod(text); }).starts_with("usage: invalid chmod parameter: '"));
  }
  // BuildKit's words, for what begins like an octal mode and for what does not.
  for (const std::string text : {"8", "08", "999", "77777", "17777", "0x1ff", "1e3", "0755x"}) {
    const std::string expected =
        "usage: invalid chmod parameter: '" + text + "'. it should be octal string and between 0 and 07777";
    CHECK(error_of([&] { parse_chmod(text); }) == expected);
  }
  CHECK(error_of([&] { parse_chmod("abc"); }) ==
        "usage: invalid chmod parameter: 'abc': invalid syntax; expected an octal mode (0755) or a symbolic one "
        "(u=rwX,go=rX)");
}
