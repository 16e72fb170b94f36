// Builds that fail or are stopped: what had run by then, what is said, and what the next build has of it.
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

int fails(const RunCall& call) {
  call.output("first line\nlast line\n");
  return 3;
}

void wait_until(const std::function<bool()>& is_so) {
  for (int i = 0; i < 2000 && !is_so(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  CHECK(is_so());
}

}  // namespace

TEST_CASE("a command that fails ends its stage there, with its line, its exit code and its last output") {
  Workshop shop;
  shop.runner.on("breaks", fails);
  shop.dockerfile("FROM base\nRUN before\nRUN breaks\nRUN after\n");
  const Error error = shop.fail();
  CHECK(error.category() == Category::build);
  CHECK(error.message() == "Dockerfile:3: the command '/bin/sh -c breaks' ended with exit code 3");
  CHECK(error.detail().find(">>>") != std::string::npos);
  CHECK(error.detail().find("last line") != std::string::npos);
  CHECK(shop.steps() == Steps{"built RUN before", "failed RUN breaks"});
  CHECK(shop.ran() == Steps{"before", "breaks"});
  CHECK(shop.heard().output() == "first line\nlast line\n");
}

TEST_CASE("what was finished before a failure is found by the next build") {
  Workshop shop;
  shop.runner.on("breaks", fails);
  shop.dockerfile("FROM base\nRUN before\nRUN breaks\n");
  shop.fail();
  shop.ran();
  shop.runner.on("breaks", {});
  CHECK(shop.build() == Steps{"hit RUN before", "built RUN breaks"});
  CHECK(shop.ran() == Steps{"breaks"});
}

TEST_CASE("a step that failed has no record") {
  Workshop shop;
  shop.runner.on("breaks", fails);
  shop.dockerfile("FROM base\nRUN breaks\n");
  shop.fail();
  shop.ran();
  shop.fail();
  CHECK(shop.ran() == Steps{"breaks"});
}

TEST_CASE("when one stage fails the others stop at their next step, and keep what they finished") {
  Workshop shop;
  std::atomic<bool> other_runs{false};
  shop.runner.on("breaks", [&](const RunCall& call) {
    wait_until([&] { return other_runs.load(); });
    return fails(call);
  });
  shop.runner.on("slow", [&](const RunCall& call) {
    other_runs = true;
    wait_until([&] { return shop.stop.is_cancelled(); });
    return call.write("slow", ""), 0;
  });
  shop.dockerfile(
      "FROM base AS a\nRUN breaks\nFROM base AS b\nRUN slow\nRUN never\n"
      "FROM base\nCOPY --from=a /x /\nCOPY --from=b /slow /\n");
  const Error error = shop.fail();
  CHECK(error.category() == Category::build);
  CHECK(error.message().starts_with("Dockerfile:2: "));
  CHECK(shop.steps() == Steps{"failed RUN breaks", "built RUN slow"});
  CHECK(shop.ran() == Steps{"breaks", "slow"});
  shop.runner.on("breaks", [](const RunCall& call) { return call.write("x", ""), 0; });
  CHECK(shop.build() == Steps{"built RUN breaks", "hit RUN slow", "built RUN never", "built COPY --from=a /x /",
                              "built COPY --from=b /slow /"});
}

TEST_CASE("a stage that waits for one that fails does nothing") {
  Workshop shop;
  shop.runner.on("breaks", fails);
  shop.dockerfile("FROM base AS a\nRUN breaks\nFROM a\nRUN never\n");
  shop.fail();
  CHECK(shop.ran() == Steps{"breaks"});
}

TEST_CASE("a failure in one target of a fleet fails the build, and what others finished is kept") {
  Workshop shop;
  std::atomic<bool> is_done{false};
  shop.runner.on("good", [&](const RunCall& call) {
    is_done = true;
    return call.write("good", ""), 0;
  });
  shop.runner.on("breaks", [&](const RunCall& call) {
    wait_until([&] { return is_done.load(); });
    return fails(call);
  });
  shop.target("bad", "FROM base\nRUN breaks\n");
  shop.target("good", "FROM base\nRUN good\n");
  CHECK(shop.fail().message().starts_with("bad/Dockerfile:2: "));
  shop.ran();
  CHECK(shop.build({"good"}) == Steps{"hit RUN good"});
}

TEST_CASE("a build that is stopped says so, and no step begins after it") {
  Workshop shop;
  shop.runner.on("long", [&](const RunCall& call) -> int {
    shop.cancel.cancel(2);
    call.cancel.check();
    return 0;
  });
  shop.dockerfile("FROM base\nRUN before\nRUN long\nRUN never\n");
  const Error error = shop.fail();
  CHECK(error.category() == Category::cancelled);
  CHECK(error.message() == "stopped on request");
  CHECK(shop.steps() == Steps{"built RUN before", "failed RUN long"});
  shop.ran();
  shop.cancel = CancelToken();
  shop.runner.on("long", {});
  CHECK(shop.build() == Steps{"hit RUN before", "built RUN long", "built RUN never"});
}

TEST_CASE("a build that is stopped before it begins does nothing") {
  Workshop shop;
  shop.cancel.cancel(15);
  shop.dockerfile("FROM base\nRUN make\n");
  CHECK(shop.fail().category() == Category::cancelled);
  CHECK(shop.ran().empty());
}

TEST_CASE("a COPY source that is missing fails with its line and the nearest name") {
  Workshop shop;
  shop.context("requirements.txt", "1");
  shop.dockerfile("FROM base\nRUN before\nCOPY requirement.txt /\n");
  const Error error = shop.fail();
  CHECK(error.category() == Category::build);
  CHECK(error.message() ==
        "Dockerfile:3: '/requirement.txt' is not in the build context; did you mean 'requirements.txt'?");
  CHECK(shop.steps() == Steps{"built RUN before"});
}

TEST_CASE("a base that is not there fails with the line of its FROM") {
  Workshop shop;
  shop.dockerfile("FROM base AS a\nRUN one\nFROM missing\nCOPY --from=a /ran/one /\n");
  const Error error = shop.fail();
  CHECK(error.category() == Category::network);
  CHECK(error.message() == "Dockerfile:3: there is no image 'missing'");
}

TEST_CASE("a user that the image does not have fails the RUN before it runs") {
  Workshop shop;
  shop.dockerfile("FROM base\nUSER nobody-here\nRUN make\n");
  const Error error = shop.fail();
  CHECK(error.category() == Category::build);
  CHECK(error.message().starts_with("Dockerfile:3: "));
  CHECK(shop.ran().empty());
}

TEST_CASE("a URL that does not answer fails its ADD, and the steps above are kept") {
  Workshop shop;
  shop.dockerfile("FROM base\nRUN before\nADD https://example.com/x /\n");
  const Error error = shop.fail();
  CHECK(error.category() == Category::network);
  CHECK(error.message() == "Dockerfile:3: 'https://example.com/x' answers 404");
  shop.fetcher.texts["https://example.com/x"] = "1";
  CHECK(shop.build() == Steps{"hit RUN before", "built ADD https://example.com/x /"});
}

TEST_CASE("a context that is no folder is told by its path, and is no fault of a line that copies") {
  Workshop shop;
  shop.dockerfile("FROM base\nCOPY a /\n").context = shop.context_folder() / "nowhere";
  const Error error = shop.fail();
  CHECK(error.category() == Category::usage);
  CHECK(error.message().starts_with("build context '"));
}

TEST_CASE("a device cannot be had, since a layer would depend on it") {
  Workshop shop;
  shop.dockerfile("FROM base\nRUN --device=vendor.com/gpu make\n");
  const Error error = shop.fail();
  CHECK(error.category() == Category::usage);
  CHECK(error.message().find("RUN --device cannot be had") != std::string::npos);
}

TEST_CASE("a failure in a trigger of the base names the FROM that brought it") {
  Workshop shop;
  oci::ContainerConfig config;
  config.on_build = {"RUN breaks"};
  shop.bases.add("triggers", {}, config);
  shop.runner.on("breaks", fails);
  shop.dockerfile("FROM triggers\nRUN never\n");
  const Error error = shop.fail();
  CHECK(error.category() == Category::build);
  CHECK(error.message().starts_with("Dockerfile:1: the command '/bin/sh -c breaks'"));
  CHECK(shop.steps() == Steps{"failed RUN breaks"});
}
