#include "base/csv.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

using namespace kiln;

namespace {

using Fields = std::vector<std::string>;

Fields fields(std::string_view text) { return csv_fields(text, "--flag"); }

std::string refusal(std::string_view text) {
  try {
    fields(text);
  } catch (const Error& error) {
    CHECK(error.category() == Category::usage);
    return error.message();
  }
  return "";
}

}  // namespace

TEST_CASE("fields stand between commas, empty ones too") {
  CHECK(fields("type=local,dest=a") == Fields{"type=local", "dest=a"});
  CHECK(fields("") == Fields{""});
  CHECK(fields("a,") == Fields{"a", ""});
  CHECK(fields(",,") == Fields{"", "", ""});
  CHECK(fields(" a , b") == Fields{" a ", " b"});
}

TEST_CASE("a field in quotes holds commas, and quotes doubled") {
  CHECK(fields("a,\"dest=b,c\",d") == Fields{"a", "dest=b,c", "d"});
  CHECK(fields("\"say \"\"yes\"\"\"") == Fields{"say \"yes\""});
  CHECK(fields("\"\"") == Fields{""});
  CHECK(fields("\"\",\"\"") == Fields{"", ""});
  CHECK(fields("\"\"\"\"") == Fields{"\""});
}

TEST_CASE("a quote that is not closed or stands elsewhere is refused, with the flag and the text") {
  CHECK(refusal("a,\"b,c") == "--flag: missing closing quote in 'a,\"b,c'");
  CHECK(refusal("\"a\"\"") == "--flag: missing closing quote in '\"a\"\"'");
  CHECK(refusal("\"a\"b") == "--flag: text behind a closing quote in '\"a\"b'");
  CHECK(refusal("a,dest=\"b,c\"") == "--flag: a quote inside of 'dest=\"b'");
}
