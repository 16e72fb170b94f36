#include "builder/definitions/run_limit.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

using namespace kiln;

namespace {

std::string refusal(const char* text) {
  try {
    parse_ulimit(text);
  } catch (const Error& error) {
    CHECK(error.category() == Category::usage);
    return error.message();
  }
  return "";
}

}  // namespace

TEST_CASE("limits are read as docker reads them") {
  CHECK(parse_ulimit("nofile=1024:2048") == RunLimit{"nofile", 1024, 2048});
  CHECK(parse_ulimit("nproc=5") == RunLimit{"nproc", 5, 5});
  CHECK(parse_ulimit("memlock=unlimited").soft == RunLimit::kUnlimited);
  CHECK(parse_ulimit("core=-1").hard == RunLimit::kUnlimited);
}

TEST_CASE("what is no limit is told by name") {
  CHECK(refusal("nofiles=1") == "ulimit 'nofiles' is not known; did you mean 'nofile'?");
  CHECK(refusal("nofile=2:1") == "ulimit 'nofile=2:1': the soft limit is above the hard limit");
  CHECK(refusal("nofile") == "ulimit 'nofile': expected NAME=SOFT[:HARD]");
  CHECK(refusal("nofile=x") == "ulimit 'nofile=x': expected NAME=SOFT[:HARD] with whole numbers, got 'x'");
  CHECK(refusal("nofile=1:") == "ulimit 'nofile=1:': expected NAME=SOFT[:HARD] with whole numbers, got ''");
}
