#include "base/paragraphs.hpp"

#include <doctest/doctest.h>

using namespace kiln;

TEST_CASE("a paragraph ends at an empty line, and a value goes on where a line begins with a space") {
  std::vector<std::string> seen;
  read_paragraphs("\n\nA: 1\r\nb:two\n  more\n\tand more\nno field\n\nA: 2", [&](const Paragraph& paragraph) {
    for (const Paragraph::Field& field : paragraph.fields()) seen.push_back(field.key + "=" + field.value);
    seen.emplace_back("end");
    return true;
  });
  CHECK(seen == std::vector<std::string>{"A=1", "b=two\nmore\nand more", "end", "A=2", "end"});
}

TEST_CASE("a field is found whatever the case of its key, the first of several") {
  const Paragraph paragraph = first_paragraph("Tag: x\ntag: y\n\nTag: z\n");
  CHECK(paragraph.value("TAG") == "x");
  CHECK(paragraph.values("tag") == std::vector<std::string_view>{"x", "y"});
  CHECK(paragraph.value("other").empty());
}

TEST_CASE("what is no longer wanted is not read") {
  int visits = 0;
  read_paragraphs("A: 1\n\nA: 2\n\nA: 3\n", [&](const Paragraph&) { return ++visits < 2; });
  CHECK(visits == 2);
  CHECK(first_paragraph("").fields().empty());
}
