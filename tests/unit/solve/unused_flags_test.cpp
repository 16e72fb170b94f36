#include "builder/solve/unused_flags.hpp"

#include <doctest/doctest.h>

#include "builder/dockerfile/parser.hpp"

using namespace kiln;

namespace {

std::vector<std::string> unused(const std::string& line) {
  return unused_flags(dockerfile::parse("FROM scratch\n" + line + "\n", "Dockerfile"));
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("flags that change nothing are told with their line") {
  CHECK(unused("RUN --mount=type=bind,target=/t,id=a --mount=type=cache,target=/c,id=b true") ==
        Lines{"Dockerfile:2: RUN --mount=type=bind,target=/t,id=a: 'id' changes nothing of the type 'bind'"});
  CHECK(unused("ADD --keep-git-dir file /") ==
        Lines{"Dockerfile:2: ADD --keep-git-dir: no source is a git repository, so it changes nothing"});
  CHECK(unused("HEALTHCHECK --interval=1s NONE") == Lines{"Dockerfile:2: HEALTHCHECK NONE: its flags change nothing"});
}

TEST_CASE("flags that something comes of, or may, are not told") {
  for (const char* line : {"ADD --keep-git-dir https://host/app.git /", "ADD --keep-git-dir $SOURCE /",
                           "ADD --keep-git-dir=false file /", "HEALTHCHECK --interval=1s CMD true", "HEALTHCHECK NONE",
                           "RUN --mount=type=cache,target=/c,id=b true", "COPY --link file /"}) {
    CAPTURE(line);
    CHECK(unused(line).empty());
  }
}
