// Stages, targets and platforms: what is evaluated, in which order, and with what below it.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/error.hpp"
#include "tests/unit/solve/workshop.hpp"

using namespace kiln;
using test::RunCall;
using test::Steps;
using test::Workshop;

namespace {

int copy_input(const RunCall& call) {
  call.write("out", call.read("in").value_or("no input"));
  return 0;
}

}  // namespace

TEST_CASE("a stage that nothing needs is not evaluated") {
  Workshop shop;
  shop.dockerfile("FROM base AS unused\nRUN never\nCOPY missing /\nFROM base\nRUN make\n");
  CHECK(shop.build() == Steps{"built RUN make"});
}

TEST_CASE("--target ends a build in that stage") {
  Workshop shop;
  shop.dockerfile("FROM base AS first\nRUN one\nFROM first\nRUN two\n").stage = "first";
  CHECK(shop.build() == Steps{"built RUN one"});
}

TEST_CASE("COPY --from takes files of a stage by its name and by its number") {
  for (const std::string from : {"builder", "0"}) {
    CAPTURE(from);
    Workshop shop;
    shop.context("in", "text");
    shop.runner.on("make", copy_input);
    shop.dockerfile("FROM base AS builder\nCOPY in /\nRUN make\nFROM scratch\nCOPY --from=" + from + " /out /app/\n");
    CHECK(shop.build() == Steps{"built COPY in /", "built RUN make", "built COPY --from=" + from + " /out /app/"});
    CHECK(shop.file("app/out") == "text");
    CHECK(shop.result().layers.size() == 1);
  }
}

TEST_CASE("a stage is built on another with its files and its config") {
  Workshop shop;
  shop.dockerfile("FROM base AS first\nENV A=1\nRUN one\nFROM first\nRUN two\n");
  shop.build();
  CHECK(shop.file("ran/one") == "");
  CHECK(shop.file("ran/two") == "");
  CHECK(oci::env_value(shop.result().config.image.config.env, "A") == "1");
}

TEST_CASE("a stage that two others need is evaluated once") {
  Workshop shop;
  shop.dockerfile(
      "FROM base AS common\nRUN common\nFROM common AS a\nRUN a\nFROM common AS b\nRUN b\n"
      "FROM scratch\nCOPY --from=a /ran/a /\nCOPY --from=b /ran/b /\n");
  shop.build();
  CHECK(shop.ran() == Steps{"a", "b", "common"});
}

TEST_CASE("stages that do not need one another run at the same time") {
  Workshop shop;
  std::atomic<int> running{0};
  const auto meet = [&](const RunCall& call) {
    ++running;
    for (int i = 0; i < 1000 && running < 2; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return call.write("met", running == 2 ? "yes" : "no"), 0;
  };
  shop.runner.on("left", meet);
  shop.runner.on("right", meet);
  shop.dockerfile(
      "FROM base AS a\nRUN left\nFROM base AS b\nRUN right\nFROM scratch\nCOPY --from=a /met /a\nCOPY --from=b /met "
      "/b\n");
  shop.build();
  CHECK(shop.file("a") == "yes");
  CHECK(shop.file("b") == "yes");
}

TEST_CASE("a target that is built FROM another one of the fleet waits for it") {
  Workshop shop;
  shop.target("parent", "FROM base\nRUN parent\n");
  shop.target("child", "FROM ghcr.io/acme/parent\nRUN child\n");
  CHECK(shop.build({"child"}) == Steps{"built RUN child", "built RUN parent"});
  CHECK(shop.file("ran/parent", "child") == "");
  CHECK(shop.result("child").layers.size() == 3);
}

TEST_CASE("a target that copies from another one of the fleet has its files alone") {
  Workshop shop;
  shop.target("tools", "FROM base\nRUN tools\n");
  shop.target("app", "FROM base\nCOPY --from=ghcr.io/acme/tools /ran/tools /bin/\n");
  shop.build({"app"});
  CHECK(shop.file("bin/tools", "app") == "");
  CHECK(shop.result("app").layers.size() == 2);
}

TEST_CASE("a named context is a folder, and an image stands for a stage") {
  Workshop shop;
  make_directories(shop.context_folder() / "more");
  shop.context("more/x", "from more");
  TargetSpec& target = shop.dockerfile("FROM base\nCOPY --from=more x /\n");
  target.contexts["more"] = (shop.context_folder() / "more").native();
  shop.build();
  CHECK(shop.file("x") == "from more");
}

TEST_CASE("the context is what its ignore file leaves") {
  Workshop shop;
  shop.context("kept", "1");
  shop.context("left", "2");
  shop.dockerfile("FROM scratch\nCOPY . /\n").ignore_text = "left\n";
  shop.build();
  CHECK(shop.file("kept") == "1");
  CHECK_FALSE(shop.file("left"));
}

TEST_CASE("a target without a context builds from its Dockerfile alone") {
  Workshop shop;
  shop.dockerfile("FROM base\nCOPY <<x /\ntext\nx\n").context.reset();
  shop.build();
  CHECK(shop.file("x") == "text\n");
  shop.dockerfile("FROM base\nCOPY a /\n").context.reset();
  const Error error = shop.fail();
  CHECK(error.category() == Category::build);
  CHECK(error.message().find("the build context, which is empty") != std::string::npos);
}

TEST_CASE("platforms of one Dockerfile share no RUN, and share a COPY") {
  Workshop shop;
  shop.context("a", "1");
  const std::string text = "FROM base\nCOPY a /\nRUN make\n";
  shop.target("amd64", text).platforms = {oci::Platform::parse("linux/amd64")};
  shop.target("arm64", text).platforms = {oci::Platform::parse("linux/arm64")};
  shop.build();
  CHECK(shop.ran() == Steps{"make", "make"});
  CHECK(shop.result("amd64").config.image.platform.str() == "linux/amd64");
  CHECK(shop.result("arm64").config.image.platform.str() == "linux/arm64");
  int copies = 0;
  for (const auto& heard : shop.heard().steps()) {
    copies += heard.view.text == "COPY a /" && heard.result.outcome == StepOutcome::built ? 1 : 0;
  }
  CHECK(copies == 1);
}

TEST_CASE("FROM --platform asks for the base of another platform") {
  Workshop shop;
  TargetSpec& target = shop.dockerfile("FROM --platform=linux/arm64 base\nRUN make\n");
  target.platforms = {oci::Platform::parse("linux/amd64")};
  shop.build();
  CHECK(shop.result().base->platform.str() == "linux/arm64");
}

TEST_CASE("ONBUILD triggers of a base run before the stage's own instructions, once") {
  Workshop shop;
  shop.context("a", "1");
  oci::ContainerConfig config;
  config.on_build = {"COPY a /", "RUN trigger"};
  shop.bases.add("triggers", {}, config);
  shop.dockerfile("FROM triggers AS first\nRUN own\nFROM first\nRUN last\n");
  CHECK(shop.build() == Steps{"built COPY a /", "built RUN trigger", "built RUN own", "built RUN last"});
  CHECK(shop.result().config.image.config.on_build.empty());
  CHECK(shop.heard().steps().at(1).view.count == 3);
}

TEST_CASE("ONBUILD is kept for who builds FROM the image, across targets") {
  Workshop shop;
  shop.context("a", "1");
  shop.target("parent", "FROM base\nONBUILD COPY a /triggered\n");
  shop.target("child", "FROM ghcr.io/acme/parent\nRUN child\n");
  CHECK(shop.build({"child"}) == Steps{"built COPY a /triggered", "built RUN child"});
  CHECK(shop.file("triggered", "child") == "1");
}

TEST_CASE("a Debian root is a step that all stages on it share, and its lock is its key") {
  Workshop shop;
  const auto add = [&](const std::string& name, const std::string& text) {
    shop.target(name, text).debian = DebianRequest{"root", "bookworm", "minbase", {}, {}, "", "", "image.json"};
  };
  add("one", "FROM debian\nRUN one\n");
  add("two", "FROM debian\nRUN two\n");
  shop.build();
  int built = 0;
  for (const auto& heard : shop.heard().steps()) {
    built += heard.view.text == "DEBIAN bookworm" && heard.result.outcome == StepOutcome::built ? 1 : 0;
  }
  CHECK(built == 1);
  CHECK(shop.file("etc/debian_version", "one") == "1");
  CHECK(shop.build({"one"}) == Steps{"hit DEBIAN bookworm", "hit RUN one"});
  shop.bases.debian_lock = "2";
  CHECK(shop.build({"one"}) == Steps{"built DEBIAN bookworm", "built RUN one"});
  CHECK(shop.reason_of("DEBIAN bookworm") == "epoch changed from '1' to '2'");
}

TEST_CASE("ADD fetches a URL and a repository, and leaves an archive of a URL packed") {
  Workshop shop;
  shop.fetcher.texts["https://example.com/tool.sh"] = "#!/bin/sh\n";
  shop.fetcher.texts["https://example.com/repo.git"] = "read me";
  shop.dockerfile("FROM base\nADD https://example.com/tool.sh /bin/\nADD https://example.com/repo.git /src/\n");
  CHECK(shop.build() ==
        Steps{"built ADD https://example.com/tool.sh /bin/", "built ADD https://example.com/repo.git /src/"});
  CHECK(shop.file("bin/tool.sh") == "#!/bin/sh\n");
  CHECK(shop.file("src/README") == "read me");
}

TEST_CASE("an instruction of the config makes no step, and its words reach the image") {
  Workshop shop;
  shop.dockerfile("FROM base\nENV A=1\nLABEL b=$A\nEXPOSE 80\nCMD [\"run\"]\n");
  CHECK(shop.build().empty());
  CHECK(shop.result().config.image.config.labels.at("b") == "1");
  CHECK(shop.result().config.image.config.cmd == std::vector<std::string>{"run"});
}
