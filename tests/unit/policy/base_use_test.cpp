#include "builder/policy/base_use.hpp"

#include <doctest/doctest.h>

#include "tests/unit/policy/policy_plan.hpp"

using namespace kiln;
using namespace kiln::test;

namespace {

// "FILE:LINE NAME" of each base.
std::vector<std::string> uses_in(const Plan& plan) {
  std::set<std::size_t> all;
  for (std::size_t i = 0; i < plan.targets.size(); ++i) all.insert(i);
  std::vector<std::string> shown;
  for (const BaseUse& use : bases_used(plan, all))
    shown.push_back(use.place.file + ":" + std::to_string(use.place.line) + " " + use.name());
  return shown;
}

}  // namespace

TEST_CASE("FROM, COPY --from and mounts name bases, with their lines") {
  const Plan plan = make_plan({policy_target("app",
                                             "ARG BASE=alpine:3\n"
                                             "FROM $BASE AS build\n"
                                             "RUN --mount=type=bind,from=golang:1.22,target=/go make\n"
                                             "FROM debian:12\n"
                                             "COPY --from=build /a /a\n"
                                             "COPY --from=ghcr.io/acme/tools:1 /t /t\n")},
                              {});
  CHECK(uses_in(plan) == std::vector<std::string>{"app/Dockerfile:2 alpine:3", "app/Dockerfile:3 golang:1.22",
                                                  "app/Dockerfile:4 debian:12",
                                                  "app/Dockerfile:6 ghcr.io/acme/tools:1"});
}

TEST_CASE("scratch, stages and images of the fleet are no bases, and stages that nothing needs count for nothing") {
  FleetNames names;
  names.bare_names = BareNames::fleet_only;
  const Plan plan = make_plan({policy_target("base", "FROM scratch\n"),
                               policy_target("app", "FROM docker.io/library/alpine AS unused\nFROM base\n")},
                              names);
  CHECK(uses_in(plan).empty());
}

TEST_CASE("named contexts that are images and layouts are bases, folders are none") {
  TargetSpec app = policy_target("app", "FROM one\nCOPY --from=two /a /a\nCOPY --from=three /b /b\n");
  app.contexts = {
      {"one", "docker-image://python:3.12"}, {"two", "/some/folder"}, {"three", "oci-layout:///l@sha256:ab"}};
  const Plan plan = make_plan({app}, {});
  CHECK(uses_in(plan) == std::vector<std::string>{"app/Dockerfile:1 python:3.12", "app/Dockerfile:3 oci-layout:///l"});
}

TEST_CASE("packages of Debian in place of a base are one") {
  TargetSpec app = policy_target("app", "FROM debian\n");
  app.debian = DebianRequest{"app", "bookworm", "minbase", {}, {}, "", "", "images/app/image.json"};
  CHECK(uses_in(make_plan({app}, {})) == std::vector<std::string>{"app/Dockerfile:1 debian-packages of bookworm"});
}
