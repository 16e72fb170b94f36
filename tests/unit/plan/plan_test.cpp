#include "builder/plan/plan.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

using namespace kiln;

namespace {

TargetSpec target(const std::string& image, const std::string& dockerfile, const std::string& profile = "") {
  TargetSpec result;
  result.image = image;
  result.name = profile.empty() ? image : image + "-" + profile;
  if (!profile.empty()) result.profile = Profile{profile, {}, {}, {}, {}};
  result.dockerfile_text = dockerfile;
  result.dockerfile_name = image + "/Dockerfile";
  return result;
}

FleetNames definitions() {
  FleetNames names;
  names.registry_and_namespace = "ghcr.io/acme";
  names.tags = {"20260101-abc"};
  names.bare_names = BareNames::fleet_only;
  return names;
}

std::string message_of(const std::vector<TargetSpec>& targets, const FleetNames& names) {
  try {
    make_plan(targets, names);
  } catch (const Error& error) {
    CHECK(error.category() == Category::usage);
    return error.message();
  }
  return "no error";
}

std::size_t parent_of(const Plan& plan, std::size_t number) {
  const auto* base = std::get_if<FleetBase>(&plan.targets[number]->bases.back());
  REQUIRE(base);
  return base->target;
}

}  // namespace

TEST_CASE("a parent is found by reading FROM, in every spelling that is the fleet's") {
  for (const char* name : {"base", "ghcr.io/acme/base", "ghcr.io/acme/base:latest", "ghcr.io/acme/base:20260101-abc"}) {
    CAPTURE(name);
    const Plan plan =
        make_plan({target("base", "FROM scratch\n"), target("app", std::string("FROM ") + name + "\n")}, definitions());
    CHECK(parent_of(plan, 1) == 0);
    CHECK(plan.notes.empty());
  }
}

TEST_CASE("another tag or a digest names an image of the registry, and that is said") {
  const Plan plan =
      make_plan({target("base", "FROM scratch\n"), target("app", "FROM ghcr.io/acme/base:1.0\n")}, definitions());
  CHECK(std::holds_alternative<ImageBase>(plan.targets[1]->bases[0]));
  REQUIRE(plan.notes.size() == 1);
  CHECK(plan.notes[0].find("ghcr.io/acme/base:1.0") != std::string::npos);
}

TEST_CASE("a child takes its parent for the same profile, or the one without") {
  const Plan plan = make_plan({target("base", "FROM scratch\n"), target("mid", "FROM base\n", "big"),
                               target("mid", "FROM base\n", "small"), target("app", "FROM mid\n", "small")},
                              definitions());
  CHECK(parent_of(plan, 3) == 2);
  CHECK(parent_of(plan, 2) == 0);
  CHECK(message_of({target("mid", "FROM scratch\n", "big"), target("app", "FROM mid\n", "small")}, definitions())
            .find("parent 'mid' is not built for profile 'small', but for big; add it to the \"profiles\" of 'mid'") !=
        std::string::npos);
}

TEST_CASE("a base that is FROM a service of several profiles is told why that cannot be") {
  TargetSpec large = target("service", "FROM scratch\n", "large"), small = target("service", "FROM scratch\n", "small");
  TargetSpec base = target("base", "FROM service\n");
  large.kind = small.kind = ImageKind::service;
  base.kind = ImageKind::base;
  CHECK(
      message_of({large, small, base}, definitions())
          .find(
              "parent 'service' is a service, which is built for each of its profiles (large, small), and 'base' is a "
              "base, which is built once, without one, so it has no 'service' to be built from; add \"profiles\": "
              "[\"large\", \"small\"] to 'base', or move what both need into a base that 'service' is FROM too") !=
      std::string::npos);
}

TEST_CASE("a stage, then scratch, then the fleet: in this order a name is looked for") {
  const Plan plan =
      make_plan({target("base", "FROM scratch\n"), target("app", "FROM scratch AS base\nFROM base\n")}, definitions());
  CHECK(std::holds_alternative<StageBase>(plan.targets[1]->bases[1]));
  CHECK(plan.targets[1]->fleet_parents.empty());
}

TEST_CASE("COPY --from and a mount's from are edges too") {
  const Plan plan =
      make_plan({target("assets", "FROM scratch\n"), target("tools", "FROM scratch\n"),
                 target("app", "FROM scratch\nCOPY --from=assets /a /a\nRUN --mount=from=tools,target=/t true\n")},
                definitions());
  CHECK(plan.targets[2]->fleet_parents == std::set<std::size_t>{0, 1});
  CHECK(plan.closure({2}) == std::set<std::size_t>{0, 1, 2});
}

TEST_CASE("a number in COPY --from is a stage above, and never an image") {
  const Plan plan = make_plan({target("app", "FROM scratch\nFROM scratch\nCOPY --from=+0 /a /a\n")}, {});
  CHECK(plan.targets[0]->needs[1] == std::set<std::size_t>{0});
  CHECK(std::get<StageBase>(resolve_name(plan, *plan.targets[0], "+0", 1)).stage == 0);
  const auto fails = [](const std::string& from) {
    return message_of({target("app", "FROM scratch\nFROM scratch AS two\nCOPY --from=" + from +
                                         " /a /a\nFROM scratch\nCOPY --from=two /a /a\n")},
                      {});
  };
  CHECK(fails("5").find("app/Dockerfile:3: invalid stage index 5: ") == 0);
  CHECK(fails("-1").find("app/Dockerfile:3: invalid stage index -1: ") == 0);
  CHECK(fails("1") == "app/Dockerfile:3: circular dependency detected on stage: two");
  CHECK(fails("2") ==
        "app/Dockerfile:3: cannot copy from stage '2', it needs to be defined before current stage 'two'");
}

TEST_CASE("a comment that was meant as a directive is said") {
  using Notes = std::vector<std::string>;
  const auto notes = [](const std::string& head) {
    return make_plan({target("app", head + "FROM scratch\n")}, {}).notes;
  };
  const auto low = [](int line, const std::string& name) {
    return "app/Dockerfile:" + std::to_string(line) + ": '# " + name +
           "=' is a comment here: directives stand above all else in the file";
  };
  CHECK(notes("# a comment\n# escape=`\n") == Notes{low(2, "escape")});
  CHECK(notes("\n# Syntax=docker/dockerfile:1\n") == Notes{low(2, "Syntax")});
  CHECK(notes("# chek=error=true\n") == Notes{"app/Dockerfile:1: '# chek=' is no directive; did you mean 'check'?"});
  for (const char* head :
       {"# syntax=docker/dockerfile:1\n# check=skip=all\n# escape=\\\n", "#!/usr/bin/env x\n# escape=`\n",
        "# a comment\n# check=skip=FromAsCasing\n", "# version = 3\n# see a=b\n", "# text\n"}) {
    CAPTURE(head);
    CHECK(notes(head).empty());
  }
}

TEST_CASE("a front end that is not docker's own is said") {
  const auto notes = [](const std::string& first_line, std::map<std::string, std::string> args = {}) {
    TargetSpec app = target("app", first_line + "\nFROM scratch\n");
    app.args = std::move(args);
    return make_plan({app}, {}).notes;
  };
  for (const char* own :
       {"docker/dockerfile:1.7-labs", "docker.io/docker/dockerfile", "docker/dockerfile-upstream:master",
        "mirror.example.com:5000/hub/docker/dockerfile@sha256:00"}) {
    CAPTURE(own);
    CHECK(notes(std::string("# syntax=") + own).empty());
  }
  const std::vector<std::string> foreign = notes("# syntax=example.com/not/dockerfile:1");
  REQUIRE(foreign.size() == 1);
  CHECK(foreign[0].find("app/Dockerfile:1 asks for the front end 'example.com/not/dockerfile:1'") == 0);
  CHECK(notes("# syntax=evildocker/dockerfile").size() == 1);
  CHECK(notes("#", {{"BUILDKIT_SYNTAX", "acme/frontend"}}).at(0).find("BUILDKIT_SYNTAX asks for") == 0);
  CHECK(notes("# syntax=acme/frontend", {{"BUILDKIT_SYNTAX", "dockerfile.v0"}}).empty());
  const std::string error = message_of({target("app", "# syntax=acme/plus\nFROM scratch\nINCLUDE+ x\n")}, {});
  CHECK(error.find("app/Dockerfile:3: unknown instruction") == 0);
  CHECK(error.find("line 1 asks for the front end 'acme/plus'") != std::string::npos);
}

TEST_CASE("FROM takes a number for the name of an image") {
  const Plan plan = make_plan({target("app", "FROM scratch\nFROM 0\n")}, {});
  CHECK(std::get<ImageBase>(plan.targets[0]->bases[1]).reference == "0");
}

TEST_CASE("an unknown parent of definitions is answered with file, line and the nearest image") {
  const std::string message =
      message_of({target("base-utils", "FROM scratch\n"), target("app", "# app\nFROM base-util\n")}, definitions());
  CHECK(message.find("app/Dockerfile:2: unknown parent 'base-util'") == 0);
  CHECK(message.find("did you mean 'base-utils'?") != std::string::npos);
  CHECK(message_of({target("base-utils", "FROM scratch\n"), target("app", "FROM ghcr.io/acme/base-util\n")},
                   definitions())
            .find("unknown parent") != std::string::npos);
}

TEST_CASE("in a bake file a bare name is an image of Docker Hub") {
  const Plan plan = make_plan({target("redis", "FROM redis\n")}, {});
  REQUIRE(std::holds_alternative<ImageBase>(plan.targets[0]->bases[0]));
}

TEST_CASE("a context names another target, a folder, an image or a layout") {
  TargetSpec app = target("app", "FROM one\nCOPY --from=two / /\n");
  app.contexts = {{"one", "target:base"}, {"two", "/srv"}};
  const Plan plan = make_plan({target("base", "FROM scratch\n"), app}, {});
  CHECK(parent_of(plan, 1) == 0);
  CHECK(std::holds_alternative<FolderBase>(resolve_name(plan, *plan.targets[1], "two", 0)));
  app.contexts = {{"one", "oci-layout:///srv/images:1.0"}};
  const Plan other = make_plan({app}, {});
  const auto& layout = std::get<LayoutBase>(other.targets[0]->bases[0]);
  CHECK(layout.folder == "/srv/images");
  CHECK(layout.tag == "1.0");
  app.contexts = {{"one", "target:bas"}};
  CHECK(message_of({target("base", "FROM scratch\n"), app}, {}).find("did you mean 'base'?") != std::string::npos);
}

TEST_CASE("a cycle is refused with its members") {
  const std::string message =
      message_of({target("a", "FROM b\n"), target("b", "FROM c\n"), target("c", "FROM a\n")}, definitions());
  CHECK(message.find("a -> b -> c -> a") != std::string::npos);
  CHECK(message.find("a/Dockerfile:1") == 0);
}

TEST_CASE("parents come before their children") {
  const Plan plan = make_plan(
      {target("app", "FROM mid\n"), target("mid", "FROM base\n"), target("base", "FROM scratch\n")}, definitions());
  CHECK(plan.order() == std::vector<std::size_t>{2, 1, 0});
}

TEST_CASE("a target stage that is not there is answered with the nearest") {
  TargetSpec app = target("app", "FROM scratch AS runtime\n");
  app.stage = "runtme";
  CHECK(message_of({app}, {}).find("did you mean 'runtime'?") != std::string::npos);
}

TEST_CASE("what a stage that is not needed names does not matter") {
  const Plan plan = make_plan({target("app", "FROM nosuch AS unused\nFROM scratch\n")}, definitions());
  CHECK(plan.targets[0]->final_stage == 1);
}

TEST_CASE("a Dockerfile has a thousand stages, and the first one too many is named") {
  std::string dockerfile = "FROM scratch AS s0\n";
  for (int i = 1; i < 1000; ++i) dockerfile += "FROM s" + std::to_string(i - 1) + " AS s" + std::to_string(i) + "\n";
  CHECK(message_of({target("a", dockerfile)}, {}) == "no error");
  CHECK(message_of({target("a", dockerfile + "FROM s999\n")}, {}) ==
        "a/Dockerfile:1001: a Dockerfile may have 1000 stages, and this one has 1001");
}

TEST_CASE("all targets at fault are told, each Dockerfile once, and none that is built from one of them") {
  const std::vector<TargetSpec> targets = {
      target("one", "FROM scratch\nRUNN x\n", "big"),
      target("one", "FROM scratch\nRUNN x\n", "small"),
      target("two", "FROM scratch\nCOPY --from=9 a b\n"),
      target("child", "FROM two\n"),
  };
  CHECK(message_of(targets, definitions()) ==
        "one/Dockerfile:2: unknown instruction 'RUNN'; did you mean 'RUN'?\n" +
            message_of({target("two", "FROM scratch\nCOPY --from=9 a b\n")}, definitions()));
  CHECK_NOTHROW(make_plan(targets, definitions(), [](const TargetSpec&) { return true; }));
}
