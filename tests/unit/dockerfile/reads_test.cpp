#include "builder/dockerfile/reads.hpp"

#include "builder/dockerfile/parser.hpp"
#include "tests/unit/dockerfile/support.hpp"

namespace kiln::dockerfile {
namespace {

// "by from: paths" of everything that one instruction reads.
std::vector<std::string> reads(const std::string& instruction) {
  const Dockerfile file = parse("FROM base\n" + instruction + "\n", "Dockerfile");
  std::vector<std::string> found;
  for (const Read& read : reads_of(file.stages[0].instructions[0])) {
    constexpr const char* kNames[] = {"transfer", "bind", "cache", "unknown"};
    std::string text = kNames[static_cast<int>(read.by)];
    text += " " + (read.is_of_context() ? "context" : read.from) + ":";
    for (const std::string& path : read.paths) text += " " + path;
    found.push_back(text);
  }
  return found;
}

using Reads = std::vector<std::string>;

TEST_CASE("COPY and ADD read their sources, from the context or what --from names") {
  CHECK(reads("COPY a b* /to/") == Reads{"transfer context: a b*"});
  CHECK(reads("COPY --from=build /out/$NAME /to/") == Reads{"transfer build: /out/$NAME"});
  CHECK(reads("COPY --from=0 /out /to/") == Reads{"transfer 0: /out"});
  CHECK(reads("ADD https://example.com/x a /to/") == Reads{"transfer context: https://example.com/x a"});
}

TEST_CASE("an empty path is all of the context") {
  CHECK(reads("COPY [\"\", \"/to/\"]") == Reads{"transfer context: ."});
}

TEST_CASE("heredocs are files of nowhere") {
  CHECK(reads("COPY <<one /to/\ntext\none") == Reads{});
  CHECK(reads("COPY <<one a /to/\ntext\none") == Reads{"transfer context: a"});
}

TEST_CASE("a RUN reads what its mounts show, and nothing of secrets, agents, tmpfs and caches that begin empty") {
  CHECK(reads("RUN --mount=target=/x make") == Reads{"bind context: ."});
  CHECK(reads("RUN --mount=type=bind,target=/x,src=sub,from=build make") == Reads{"bind build: sub"});
  CHECK(reads("RUN --mount=type=cache,target=/c,from=build make") == Reads{"cache build: ."});
  CHECK(reads("RUN --mount=type=cache,target=/c --mount=type=tmpfs,target=/t --mount=type=secret,id=s "
              "--mount=type=ssh make") == Reads{});
  CHECK(reads("RUN --mount=target=/x,src=$DIR make") == Reads{"unknown context: $DIR"});
}

TEST_CASE("other instructions read nothing") {
  CHECK(reads("WORKDIR /x") == Reads{});
  CHECK(reads("ENV A=1") == Reads{});
}

TEST_CASE("the names an instruction reads from leave out what a variable hides") {
  const Dockerfile file =
      parse("FROM base\nRUN --mount=target=/a,from=one --mount=target=/b,from=two,src=$X make\n", "D");
  CHECK(names_read(file.stages[0].instructions[0]) == std::vector<std::string>{"one", "two"});
}

}  // namespace
}  // namespace kiln::dockerfile
