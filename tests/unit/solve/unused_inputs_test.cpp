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
                                  {"BUILDKIT_SYNTAX", "docker/dockerfile:1"},
                                  {"SOURCE_DATE_EPOCH", "0"},
                                  {"TARGETARCH", "arm64"}})
            .empty());
}

TEST_CASE("a build arg of BuildKit's that kiln does not read is told, unless an ARG declares it") {
  CHECK(unused("FROM scratch\nARG BUILDKIT_C\n",
               {{"BUILDKIT_INLINE_CACHE", "1"}, {"BUILDKIT_SANDBOX_HOSTNAME", "h"}, {"BUILDKIT_C", ""}}) ==
        Lines{"Dockerfile: kiln does not read the build arg 'BUILDKIT_INLINE_CACHE': no cache fits into an image's "
              "config; use --cache-to type=registry",
              "Dockerfile: kiln does not read the build arg 'BUILDKIT_SANDBOX_HOSTNAME', which is BuildKit's"});
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

TEST_CASE("Debian packages that no line of the Dockerfile beside them names are told") {
  TargetSpec target;
  target.image = "app";
  target.dockerfile_name = "app/Dockerfile";
  target.debian = DebianRequest{"app", "bookworm", "minbase", {}, {}, "", "", "image.json"};
  const auto told = [&](const std::string& text) {
    target.dockerfile_text = text;
    return unused_inputs(*make_plan({target}, {}).targets[0], {});
  };
  CHECK(
      told("FROM debian:12\nRUN make\n") ==
      Lines{"target 'app': app/Dockerfile: no FROM, COPY or RUN names 'debian', so the packages of \"debian\" are not "
            "in the image"});
  CHECK(told("FROM debian\nRUN make\n").empty());
  CHECK(told("ARG BASE=debian\nFROM $BASE\n").empty());
  CHECK(told("FROM scratch\nCOPY --from=debian /etc /etc\n").empty());
}

TEST_CASE("a secret that no RUN mounts is told, by any of its names") {
  CHECK(unused("FROM scratch\nRUN --mount=type=secret,id=a --mount=type=secret,target=/x/b true\n", {},
               {"a", "b", "npm"}) == Lines{"Dockerfile: no RUN mounts the secret 'npm'"});
  CHECK(unused("FROM scratch\nRUN --mount=type=secret,id=npmrc true\n", {}, {"npmr"}) ==
        Lines{"Dockerfile: no RUN mounts the secret 'npmr'; did you mean 'npmrc'?"});
  CHECK(unused("FROM scratch\nARG X\nRUN --mount=type=secret,id=$X true\n", {}, {"npm"}).empty());
  CHECK(unused("FROM scratch\n", {}, {"a"}, {"RUN --mount=type=secret,id=a true"}).empty());
}

TEST_CASE("a secret for sources is told where nothing is fetched that it is for") {
  const std::vector<std::string> secrets = {"GIT_AUTH_TOKEN", "GIT_AUTH_HEADER.host", "HTTP_AUTH_TOKEN_host"};
  const auto told = [](const std::string& name) {
    const std::string what = name.starts_with("GIT_") ? "a git repository, which" : "at the host that";
    return "Dockerfile: no source is " + what + " the secret '" + name + "' is for";
  };
  CHECK(unused("FROM scratch\nADD file /\n", {}, secrets) ==
        Lines{told(secrets[0]), told(secrets[1]), told(secrets[2])});
  CHECK(unused("FROM scratch\nADD https://elsewhere/acme/app.git /\n", {}, secrets) == Lines{told(secrets[2])});
  CHECK(unused("FROM scratch\nADD https://host:8443/file /\n", {}, secrets) ==
        Lines{told(secrets[0]), told(secrets[1])});
  CHECK(unused("FROM scratch\nADD https://other/file /\n", {}, {secrets[2]}) == Lines{told(secrets[2])});
  CHECK(unused("FROM scratch\nADD https:// /\nADD https://h/r.git?no=1 /\n", {}, {}).empty());
  CHECK(unused("FROM scratch\nARG X\nADD $X /\n", {}, secrets).empty());
  CHECK(unused("FROM scratch\n", {}, secrets, {"ADD https://host/app.git https://host/file /"}).empty());
}

namespace {

TargetSpec spec_of(const std::string& dockerfile) {
  TargetSpec target;
  target.dockerfile_name = "Dockerfile";
  target.dockerfile_text = dockerfile;
  return target;
}

Lines unused_of(const TargetSpec& target, const std::vector<std::string>& triggers = {}) {
  return unused_inputs(*make_plan({target}, {}).targets[0], triggers);
}

}  // namespace

TEST_CASE("a context that no instruction names is told, by any spelling of its name") {
  TargetSpec target = spec_of(
      "ARG BASE=alpine\nFROM ${BASE} AS a\nFROM scratch\nCOPY --from=files / /\n"
      "RUN --mount=from=docker.io/library/tools:latest,target=/t true\n");
  target.contexts = {{"docker.io/library/alpine:latest", "docker-image://scratch"}, {"Files", "/x"}, {"tools", "/x"}};
  CHECK(unused_of(target).empty());
  target.contexts = {{"file", "/x"}};
  CHECK(unused_of(target) ==
        Lines{"Dockerfile: no FROM, COPY or RUN names the build context 'file'; did you mean 'files'?"});
  CHECK(unused_of(target, {"COPY --from=file / /"}).empty());
}

TEST_CASE("a stage of no-cache-filter that is none is told, in whatever case it is written") {
  TargetSpec target = spec_of("FROM scratch AS build\nFROM scratch\n");
  target.no_cache_stages = {"BUILD", "biuld"};
  CHECK(unused_of(target) == Lines{"Dockerfile: no-cache-filter 'biuld' names no stage; did you mean 'build'?"});
}

TEST_CASE("an SSH agent that no RUN mounts and no git source needs is told") {
  TargetSpec target = spec_of("FROM scratch\nRUN --mount=type=ssh,id=work true\n");
  target.ssh = {{"work", {}}, {"default", {}}};
  CHECK(unused_of(target) == Lines{"Dockerfile: no RUN mounts the SSH agent 'default'"});
  for (const char* line : {"RUN --mount=type=ssh true", "ADD git@host:acme/app.git /",
                           "ADD ssh://git@host/acme/app.git /", "ADD $URL /"}) {
    CAPTURE(line);
    TargetSpec other = spec_of("FROM scratch\nARG URL\n" + std::string(line) + "\n");
    other.ssh = {{"default", {}}};
    CHECK(unused_of(other).empty());
  }
}

TEST_CASE("what contexts were fetched from has used the agent and the secrets that are for it") {
  TargetSpec target = spec_of("FROM scratch\n");
  target.ssh = {{"default", {}}};
  target.secrets = {{"HTTP_AUTH_HEADER_host", "file", {}}};
  CHECK(unused_of(target).size() == 2);
  target.fetched_from = {{"", "git@host:acme/app.git", ""}, {"lib", "https://host/file", ""}};
  CHECK(unused_of(target).empty());
}

TEST_CASE("what a target says of its RUNs is told where there is none") {
  const auto told = [](const std::string& dockerfile, const std::vector<std::string>& triggers = {}) {
    TargetSpec target;
    target.dockerfile_name = "Dockerfile";
    target.dockerfile_text = dockerfile;
    target.network = NetworkMode::none;
    target.extra_hosts = {{"a", "1.2.3.4"}};
    target.ulimits = {"nofile=1"};
    target.shm_size = "1m";
    return unused_inputs(*make_plan({target}, {}).targets[0], triggers);
  };
  CHECK(told("FROM scratch\n") ==
        Lines{"Dockerfile: there is no RUN, which is what network, extra-hosts, ulimits, shm-size is for"});
  CHECK(told("FROM scratch\nRUN a\n").empty());
  CHECK(told("FROM scratch\nONBUILD RUN a\n").empty());
  CHECK(told("FROM base\n", {"RUN a"}).empty());
}
