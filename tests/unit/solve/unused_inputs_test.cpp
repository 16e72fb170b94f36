#include "builder/solve/unused_inputs.hpp"

#include <doctest/doctest.h>

using namespace kiln;

namespace {

std::vector<std::string> unused(const std::string& dockerfile, std::map<std::string, std::string> args,
                                const std::vector<std::string>& secrets = {},
                                const std::vector<std::string>& triggers = {}) {
  TargetSpec target;
  target.dockerfile_name = "Dockerfile";
  target.dockerfile_text = dockerfile;
  target.args = std::move(args);
  for (const std::string& id : secrets) target.secrets.push_back({id, "file", {}});
  const Plan plan = make_plan({target}, {});
  return unused_inputs(*plan.targets[0], triggers);
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a build arg that no ARG declares is told, without its value") {
  CHECK(unused("ARG A\nFROM scratch\nARG B=1\nONBUILD ARG C\n", {{"A", ""}, {"B", ""}, {"C", ""}, {"D", ""}}, {},
               {"ARG D"})
            .empty());
  CHECK(unused("FROM scratch\nARG VERSION\n", {{"VERSOIN", "hidden"}, {"X", ""}}) ==
        Lines{"Dockerfile: no ARG declares the build arg 'VERSOIN'; did you mean 'VERSION'?",
              "Dockerfile: no ARG declares the build arg 'X'"});
  CHECK(unused("FROM scratch\n", {{"HTTP_PROXY", ""},
                                  {"https_proxy", ""},
                                  {"BUILDKIT_INLINE_CACHE", "1"},
                                  {"SOURCE_DATE_EPOCH", "0"},
                                  {"TARGETARCH", "arm64"}})
            .empty());
}

TEST_CASE("what is not used is told of the image where there is a fleet of them") {
  TargetSpec target;
  target.name = "app-pc2";
  target.image = "app";
  target.dockerfile_name = "app/Dockerfile";
  target.dockerfile_text = "FROM scratch\n";
  target.args = {{"VERSION", "1"}};
  CHECK(unused_inputs(*make_plan({target}, {}).targets[0], {}) ==
        Lines{"target 'app': app/Dockerfile: no ARG declares the build arg 'VERSION'"});
}

TEST_CASE("a secret that no RUN mounts is told, by any of its names") {
  CHECK(unused("FROM scratch\nRUN --mount=type=secret,id=a --mount=type=secret,target=/x/b true\n", {},
               {"a", "b", "npm"}) == Lines{"Dockerfile: no RUN mounts the secret 'npm'"});
  CHECK(unused("FROM scratch\nRUN --mount=type=secret,id=npmrc true\n", {}, {"npmr"}) ==
        Lines{"Dockerfile: no RUN mounts the secret 'npmr'; did you mean 'npmrc'?"});
  CHECK(unused("FROM scratch\n", {}, {"GIT_AUTH_TOKEN", "GIT_AUTH_HEADER.host", "HTTP_AUTH_TOKEN_host"}).empty());
  CHECK(unused("FROM scratch\nARG X\nRUN --mount=type=secret,id=$X true\n", {}, {"npm"}).empty());
  CHECK(unused("FROM scratch\n", {}, {"a"}, {"RUN --mount=type=secret,id=a true"}).empty());
}
