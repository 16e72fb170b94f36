#include "base/output_lines.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace kiln;

namespace {

using Lines = std::vector<std::string>;

// All lines of an output that comes in pieces of `piece` bytes.
Lines lines_of(std::string_view output, std::size_t piece) {
  OutputLines lines;
  Lines all;
  for (std::size_t at = 0; at < output.size(); at += piece) {
    for (std::string& line : lines.feed(output.substr(at, piece))) all.push_back(std::move(line));
  }
  for (std::string& line : lines.finish()) all.push_back(std::move(line));
  return all;
}

struct Case {
  const char* what;
  std::string output;
  Lines lines;
};

}  // namespace

TEST_CASE("command output becomes the same safe lines wherever it was cut") {
  const std::vector<Case> cases = {
      {"plain lines, the last without an end", "one\ntwo\n\nthree", {"one", "two", "", "three"}},
      {"CRLF", "one\r\ntwo\r\n", {"one", "two"}},
      {"a carriage return begins the line anew", " 10%\r 50%\r100%\ndone\n", {"100%", "done"}},
      {"a carriage return at the end leaves the line", "100%\r", {"100%"}},
      {"colours", "\x1b[1;31merror\x1b[0m: no\n", {"error: no"}},
      {"cursor movement and erasing", "a\x1b[2J\x1b[1;1H\x1b[Kb\n", {"ab"}},
      {"a window title ended by BEL", "\x1b]0;owned\x07visible\n", {"visible"}},
      {"a hyperlink ended by ST", "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\n", {"link"}},
      {"a device control string", "\x1bPq#0\x1b\\end\n", {"end"}},
      {"an escape inside a string that does not end it",
       "\x1b]0;a\x1bZb\x07"
       "c\n",
       {"c"}},
      {"character set selection", "\x1b(Bx\x1b=y\n", {"xy"}},
      {"8-bit control sequences written as UTF-8", "\u009b31mred\u009d0;t\u009cx\n", {"redx"}},
      {"an 8-bit control byte is no UTF-8",
       "\x9b"
       "31m\n",
       {"\uFFFD31m"}},
      {"an unterminated sequence ends with its line", "\x1b]0;hidden\nshown\n\x1b[\nalso\n", {"", "shown", "", "also"}},
      {"other control characters",
       "a\x01\x02\x7f\x07"
       "b\n",
       {"ab"}},
      {"NUL", std::string("a\0b\n", 4), {"ab"}},
      {"tabs", "a\tb\n\tc\n1234567\t8\n12345678\t9\n", {"a       b", "        c", "1234567 8", "12345678        9"}},
      {"a tab after a wide character", "\u7a91\tx\n", {"\u7a91      x"}},
      {"backspace", "10%\b\b\b20%\n\bx\n", {"20%", "x"}},
      {"backspace over a multi-byte character", "a\u7a91\bb\tc\n", {"ab      c"}},
      {"bidirectional overrides", "a\u202egpj.exe\u2066\n", {"agpj.exe"}},
      {"invalid UTF-8", "a\xff\xc3(\xe2\x82\n", {"a\uFFFD\uFFFD(\uFFFD"}},
      {"an incomplete character at the end", "a\xe2\x82", {"a\uFFFD"}},
      {"UTF-8", "\u2501\u2501 Gr\u00fc\u00dfe \U0001F525\n", {"\u2501\u2501 Gr\u00fc\u00dfe \U0001F525"}},
      {"an escape before a character", "\x1b\u00fcx\n", {"\u00fcx"}},
      {"a sequence begun inside another", "\x1b[3\x1b[1mx\n", {"x"}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{3}, c.output.size()}) {
      CAPTURE(piece);
      CHECK(lines_of(c.output, piece) == c.lines);
    }
  }
}

TEST_CASE("no byte string leaves a control character in a line") {
  std::string all;
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      all += static_cast<char>(first);
      all += static_cast<char>(second);
      all += "[31m";
    }
  }
  for (const std::string& line : lines_of(all, 7)) {
    CHECK(std::none_of(line.begin(), line.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }));
    CHECK(line.find("\xC2\x9B") == std::string::npos);
  }
}

TEST_CASE("an endless line is cut into pieces") {
  OutputLines lines;
  std::size_t bytes = 0;
  for (int i = 0; i < 100; ++i) {
    for (const std::string& line : lines.feed(std::string(1000, 'x'))) {
      CHECK(line.size() == OutputLines::kMaxLineBytes);
      bytes += line.size();
    }
  }
  CHECK(bytes + lines.partial().size() == 100000);
  CHECK(OutputLines::kMaxLineBytes == 16384);
}

TEST_CASE("the unfinished line can be looked at") {
  OutputLines lines;
  CHECK(lines.feed("Collecting fas").empty());
  CHECK(lines.partial() == "Collecting fas");
  CHECK(lines.feed("tapi\n") == Lines{"Collecting fastapi"});
  CHECK(lines.partial().empty());
  CHECK(lines.finish().empty());
}
