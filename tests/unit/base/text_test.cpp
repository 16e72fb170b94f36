#include "base/text.hpp"

#include <doctest/doctest.h>

using namespace kiln;

TEST_CASE("split keeps empty parts") {
  CHECK(split("a,b,,c", ',') == std::vector<std::string_view>{"a", "b", "", "c"});
  CHECK(split("", ',') == std::vector<std::string_view>{""});
  CHECK(split(",", ',') == std::vector<std::string_view>{"", ""});
}

TEST_CASE("trim takes white space from both ends only") {
  CHECK(trim(" \t a b\r\n") == "a b");
  CHECK(trim(" \n ") == "");
  CHECK(trim("") == "");
}

TEST_CASE("letters change case in ASCII and nowhere else") {
  CHECK(to_lower("AbZ[\u00c4") == "abz[\u00c4");
  CHECK(to_upper("aBz{\u00e4") == "ABZ{\u00e4");
  CHECK(equals_ignoring_case("FROM", "from"));
  CHECK_FALSE(equals_ignoring_case("FROM", "fro"));
}

TEST_CASE("only whole unsigned numbers are numbers") {
  CHECK(parse_unsigned("0") == 0u);
  CHECK(parse_unsigned("18446744073709551615") == 18446744073709551615u);
  CHECK(parse_unsigned("0755", 8) == 0755u);
  CHECK(parse_unsigned("ff", 16) == 255u);
  for (const char* bad : {"", " 1", "1 ", "+1", "-1", "1.0", "0x1", "18446744073709551616", "a"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_unsigned(bad));
  }
  CHECK_FALSE(parse_unsigned("8", 8));
}

TEST_CASE("a misspelt word is answered with the nearest real one") {
  const std::vector<std::string> known{"build", "bake", "push", "pull", "inspect"};
  CHECK(nearest("biuld", known) == "build");
  CHECK(nearest("BUILD", known) == "build");
  CHECK(nearest("inspct", known) == "inspect");
  CHECK_FALSE(nearest("zzzzzz", known));
  CHECK_FALSE(nearest("x", {}));
  CHECK_FALSE(nearest("-p", {"-h", "-u"}));
  CHECK_FALSE(nearest("db", {"dx", "id"}));
  CHECK_FALSE(nearest("rmi", {"ci"}));
  CHECK(nearest("Id", {"uid", "id"}) == "id");
  CHECK(nearest("ab", {"abc"}) == "abc");
  CHECK(nearest("tpc", {"udp", "tcp"}) == "tcp");
  CHECK(suggestion("puhs", known) == "; did you mean 'push'?");
  CHECK(suggestion("zzzzzz", known) == "; known: build, bake, push, pull, inspect");
  CHECK(suggestion("x", {}) == "");
  CHECK(suggestion("qqqqqq", std::vector<std::string>(20, "longish")).ends_with("longish, ..."));
}

TEST_CASE("sizes are printed in decimal units with three figures") {
  CHECK(human_bytes(0) == "0 B");
  CHECK(human_bytes(999) == "999 B");
  CHECK(human_bytes(1000) == "1.00 kB");
  CHECK(human_bytes(12345) == "12.3 kB");
  CHECK(human_bytes(999999) == "1.00 MB");
  CHECK(human_bytes(123456789) == "123 MB");
  CHECK(human_bytes(2500000000) == "2.50 GB");
  CHECK(human_bytes(18446744073709551615u) == "18447 PB");
}

TEST_CASE("durations are printed for people") {
  CHECK(human_seconds(0) == "0.0s");
  CHECK(human_seconds(12.34) == "12.3s");
  CHECK(human_seconds(59.96) == "1m00s");
  CHECK(human_seconds(185) == "3m05s");
}

TEST_CASE("hostile text is made visible before it is printed") {
  CHECK(printable("plain \u00fc \U0001F525") == "plain \u00fc \U0001F525");
  CHECK(printable("\x1b[31mred\n") == "\\x1b[31mred\\x0a");
  CHECK(printable(std::string("a\0b", 3)) == "a\\x00b");
  CHECK(printable("\x7f") == "\\x7f");
  CHECK(printable("\xff\xc3") == "\\xff\\xc3");
  CHECK(printable("abc", 3) == "abc");
  CHECK(printable("abcd", 3) == "abc...");
  CHECK(printable("ab\u00fcc", 3) == "ab...");
  CHECK(printable("\x1b[31m", 1) == "\\x1b...");
  CHECK(printable("\xc0\x80") == "\\xc0\\x80");
  CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");
  CHECK(printable("\u009b31m") == "\\xc2\\x9b31m");
  CHECK(printable("a\u202ecod.exe") == "a\\xe2\\x80\\xaecod.exe");
}

TEST_CASE("of a long line of a message its beginning and its end are shown") {
  CHECK(readable_line(std::string(8000, 'a')) == std::string(8000, 'a'));
  CHECK(readable_line("x" + std::string(20000, 'a') + "z") ==
        "x" + std::string(6999, 'a') + " ... 12002 bytes left out ... " + std::string(999, 'a') + "z");
  CHECK(readable_line(std::string(6999, 'a') + "\u00fc" + std::string(2000, 'b'))
            .starts_with(std::string(6999, 'a') + " ... "));
}

TEST_CASE("bytes in hexadecimal, words joined") {
  CHECK(hex(std::string("\x00\x0f\xff", 3)) == "000fff");
  CHECK(join({"a", "b"}, ", ") == "a, b");
  CHECK(join({}, ", ") == "");
}
