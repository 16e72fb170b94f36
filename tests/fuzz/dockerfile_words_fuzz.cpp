#include "base/error.hpp"
#include "base/paths.hpp"
#include "builder/dockerfile/expansion.hpp"
#include "builder/dockerfile/mount.hpp"
#include "builder/dockerfile/pattern.hpp"
#include "builder/dockerfile/ports.hpp"
#include "builder/dockerfile/syntax.hpp"
#include "tests/fuzz/fuzz.hpp"

// Any bytes as a word to be expanded, as a mount, a port, a heredoc's name.
namespace kiln::fuzz {

using namespace dockerfile;

namespace {

std::optional<std::string> value(std::string_view name) {
  if (name == "x") return "a b*c/d";
  if (name == "e") return "";
  return std::nullopt;
}

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
  for (const char escape : {'\\', '`'}) {
    for (const Quotes quotes : {Quotes::process, Quotes::keep, Quotes::literal}) {
      may_refuse([&] {
        const Expansion once = expand(input, value, {escape, quotes});
        const Expansion again = expand(input, value, {escape, quotes});
        require(once.text == again.text && once.words == again.words, "two expansions differ");
        for (const std::string& word : once.words) require(!word.empty(), "an empty word");
        for (const std::string& name : once.used) require(once.unset.count(name) == 0, "used and unset");
      });
    }
  }
  may_refuse([&] { expand_mount(read_mount(input), [](std::string_view word) { return expand_word(word, value); }); });
  may_refuse([&] { require(!exposed_ports(input).empty(), "no port"); });
  may_refuse([&] { heredoc_of_word(input); });
  const std::string clean = clean_path(input);
  require(clean_path(clean) == clean, "a clean path that is not clean");
}

std::vector<std::string> seeds() {
  return {"a${x}b",
          "${x:-${e:+f}}",
          "${x##*/}${x%%[b]*}",
          "${x//\\//:}${x/?/$e}",
          "\"$x\" '$x' \\$x",
          "<<-'EOF'",
          "type=cache,target=/c,id=$x,sharing=locked,mode=0755,uid=1",
          "1.2.3.4:80:8000-8010/tcp",
          "[::1]:80:80/udp",
          "type=tmpfs,size=1.5g,target=/t",
          "type=secret,id=a,env=B,required",
          "/a//b/../c"};
}

std::vector<std::string> words() {
  return {"${", "}", ":-", ":+", ":?", "##",       "%%",   "//",    "/",           "*", "?",
          "\\", "`", "'",  "\"", "$x", "$e",       "$",    " ",     "<<",          ",", "=",
          ":",  "-", "[",  "]",  "..", "\xC3\xA9", "\xFF", "type=", "999999999999"};
}

}  // namespace kiln::fuzz
