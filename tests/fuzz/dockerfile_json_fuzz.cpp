#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "builder/dockerfile/line_forms.hpp"
#include "builder/dockerfile/syntax.hpp"
#include "tests/fuzz/fuzz.hpp"

// Any bytes as what stands behind CMD, RUN, COPY, VOLUME or HEALTHCHECK CMD: a JSON array of strings, or else shell
// words.
namespace kiln::fuzz {

using namespace dockerfile;

namespace {

void json_words(std::string_view input) {
  std::vector<std::string> words;
  if (parse_json_words(input, words) == JsonForm::array) {
    std::vector<std::string> again;
    const std::string written = nlohmann::json(words).dump(-1, ' ', false, nlohmann::json::error_handler_t::strict);
    require(parse_json_words(written, again) == JsonForm::array && again == words, "an array written again is another");
  } else {
    require(words.empty(), "words of what is no array");
  }
}

// An error may only be about what was written.
template <class Body>
void may_refuse(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    require(error.category() == Category::usage, "another category");
  }
}

}  // namespace

void fuzz_one(std::string_view input) {
  may_refuse([&] { json_words(input); });
  // Taken for one line: every instruction with a JSON form, and ONBUILD around it.
  const std::string rest(input.substr(0, input.find_first_of("\r\n")));
  for (const char* keyword :
       {"CMD ", "RUN ", "SHELL ", "VOLUME ", "COPY ", "HEALTHCHECK CMD ", "ONBUILD ENTRYPOINT "}) {
    for (const char escape : {'\\', '`'}) {
      may_refuse([&] { require(node_of_line(keyword + rest, escape).children.size() <= 1, "several triggers"); });
    }
  }
}

std::vector<std::string> seeds() {
  return {"[]",
          "[\"a\", \"b c\"]",
          "[\"\\u00e9\", \"\\ud83d\\ude00\", \"\\n\\\"\\\\\"]",
          "['a']",
          "[\"a\"] b",
          "[ \"a\" , [\"b\"], 1, null]",
          "[ -d /x ] && echo y",
          "  [\"\\ud800\"]"};
}

std::vector<std::string> words() {
  return {"[", "]", "\"", "\\", "\\u",  "\\ud83d", "dead",     ",",    " ",    "\t",
          "'", "{", "}",  ":",  "null", "1e9",     "\xC3\xA9", "\xFF", "--x=", "$x"};
}

}  // namespace kiln::fuzz
