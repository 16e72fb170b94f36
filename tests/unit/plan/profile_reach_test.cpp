#include "builder/plan/profile_reach.hpp"

#include <doctest/doctest.h>

namespace kiln {
namespace {

// The reasons by line of a Dockerfile of its own, for the argument CUDA_ARCH.
std::map<int, std::vector<std::string>> reach_of(const std::string& dockerfile) {
  TargetSpec target;
  target.image = "app";
  target.name = "app";
  target.dockerfile_text = dockerfile;
  target.dockerfile_name = "Dockerfile";
  const Plan plan = make_plan({target}, {});
  std::map<int, std::vector<std::string>> texts;
  for (const auto& [line, causes] : profile_reach(*plan.targets[0], {"CUDA_ARCH"})) {
    for (const ReachCause& cause : causes) texts[line].push_back(to_text(cause));
  }
  return texts;
}

using Texts = std::map<int, std::vector<std::string>>;

TEST_CASE("an ARG reaches the RUNs below it and none above") {
  CHECK(reach_of("FROM scratch\nRUN a\nARG CUDA_ARCH\nRUN b\n") == Texts{{4, {"CUDA_ARCH of line 3 is in scope"}}});
  CHECK(reach_of("FROM scratch\nRUN a\nCOPY . .\nARG CUDA_ARCH\nENV ARCH=$CUDA_ARCH\nUSER 1000\n").empty());
}

TEST_CASE("a RUN on a layer that differs differs too, a COPY on it does not") {
  CHECK(reach_of("FROM scratch\nWORKDIR /w\nARG CUDA_ARCH\nCOPY $CUDA_ARCH /a\nCOPY b /b\n") ==
        Texts{{4, {"it expands CUDA_ARCH of line 3"}}});
  const Texts found = reach_of("FROM scratch AS a\nARG CUDA_ARCH\nRUN a\nFROM a\nRUN b\n");
  CHECK(found.at(5) == std::vector<std::string>{"CUDA_ARCH of line 2 is in scope", "it runs on the layer of line 3"});
}

TEST_CASE("other arguments and ENV carry the value on") {
  CHECK(reach_of("FROM scratch\nARG CUDA_ARCH\nARG LIST=${CUDA_ARCH}+PTX\nENV A=$LIST\nCOPY x-$A /\n").at(5) ==
        std::vector<std::string>{"it expands A of line 4"});
  CHECK(reach_of("FROM scratch\nARG OTHER=1\nRUN a\n").empty());
}

TEST_CASE("a stage that differs reaches those who read from it") {
  const Texts found = reach_of(
      "FROM scratch AS build\nARG CUDA_ARCH\nRUN make\nFROM scratch\nCOPY --from=build /o /o\nRUN "
      "--mount=type=bind,from=build,target=/b c\n");
  CHECK(found.at(5) == std::vector<std::string>{"it reads the stage 'build' of line 1"});
  CHECK(found.at(6).size() == 2);
}

TEST_CASE("a stage that nobody needs is not looked at") {
  CHECK(reach_of("FROM scratch AS other\nARG CUDA_ARCH\nRUN make\nFROM scratch\nRUN a\n").empty());
}

}  // namespace
}  // namespace kiln
