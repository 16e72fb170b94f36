#include "builder/report/text_table.hpp"

#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

using namespace kiln;
using Align = TextTable::Align;

TEST_CASE("columns are aligned and one of them gives way") {
  TextTable table({Align::left, Align::right, Align::left}, 2);
  CHECK(table.empty());
  table.add({{"a"}, {"1"}, {"short"}});
  table.add({{"\u7a91"}, {"1000"}, {"a much longer text"}});
  table.add({{"b"}});
  CHECK(table.render(80, 0, Colour::no) ==
        "a      1  short\n"
        "\u7a91  1000  a much longer text\n"
        "b\n");
  CHECK(table.render(20, 2, Colour::no) ==
        "  a      1  short\n"
        "  \u7a91  1000  a muc...\n"
        "  b\n");
}

TEST_CASE("the column that gives way keeps eight columns whatever happens") {
  TextTable table({Align::left, Align::left}, 0);
  table.add({{"a name that is long"}, {"another text that is long"}});
  CHECK(table.render(10, 0, Colour::no) == "a nam...  another text that is long\n");
}

TEST_CASE("colours change no width and are left out where nobody wants them") {
  TextTable table({Align::right, Align::left}, 1);
  table.add({{"7", TextStyle::good}, {"x", TextStyle::bad}});
  table.add({{"10"}, {"y", TextStyle::dim}});
  CHECK(table.render(80, 0, Colour::no) == " 7  x\n10  y\n");
  CHECK(table.render(80, 0, Colour::yes) == " \x1b[32m7\x1b[0m  \x1b[31mx\x1b[0m\n10  \x1b[2my\x1b[0m\n");
}

TEST_CASE("text is broken at spaces, and a word that is too long is cut") {
  CHECK(wrapped("", 10).empty());
  CHECK(wrapped("one two three", 7) == std::vector<std::string>{"one two", "three"});
  CHECK(wrapped("one  two", 3) == std::vector<std::string>{"one", "two"});
  CHECK(wrapped("incomprehensible", 8) == std::vector<std::string>{"incom..."});
}

TEST_CASE("a column that is not there cannot give way") {
  std::string refused;
  try {
    const TextTable table({Align::left, Align::left}, 2);
  } catch (const std::out_of_range& error) {
    refused = error.what();
  }
  CHECK(refused == "a table has no such column to give way");
}
