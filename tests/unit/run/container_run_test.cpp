#include "builder/run/container_run.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "container_fixture.hpp"
#include "tests/support/error_of.hpp"

using namespace kiln;
using kiln::testing::ContainerFixture;
using kiln::testing::runner;

TEST_CASE("a container starts with the image's entry point, command, environment and folder") {
  oci::ImageConfig config;
  RunRequest request;
  CHECK(error_of([&] { apply_image_config(request, config); }) ==
        "usage: the image has neither ENTRYPOINT nor CMD, so there is nothing to start");
  config.config.entrypoint = {"tini", "--"};
  config.config.cmd = {"serve"};
  config.config.env = {"A=1"};
  config.config.working_dir = "/app";
  apply_image_config(request, config);
  CHECK(request.argv == std::vector<std::string>{"tini", "--", "serve"});
  CHECK(request.env.size() == 2);
  CHECK(request.env[1].starts_with("PATH="));
  CHECK(request.working_dir == "/app");
}

TEST_CASE("a command runs inside a running container, with its own output") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  RunRequest request = box.request("echo started; echo mark > /tmp/here; exec sleep 300");
  request.uid = 77;
  RunningContainer container = RunningContainer::start(runner(), box.home, request);
  RunningContainer::ExecResult result;
  for (int tries = 0; tries < 100 && result.output != "mark\n77\n"; ++tries) {
    result = container.exec({"/bin/sh", "-c", "cat /tmp/here && id -u"}, 20'000, box.cancel);
  }
  CHECK(result.exit_code == 0);
  CHECK(result.output == "mark\n77\n");
  CHECK(container.exec({"/bin/sh", "-c", "exit 3"}, 20'000, box.cancel).exit_code == 3);
  result = container.exec({"/bin/sleep", "100"}, 300, box.cancel);
  CHECK(result.timed_out);
  CHECK_FALSE(container.wait(0));
  CHECK(container.last_output() == "started\n");
  container.kill();
}

TEST_CASE("a container that ends by itself is noticed, with its exit code and last words") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  oci::ImageConfig config;
  config.config.healthcheck = oci::Healthcheck{};
  config.config.healthcheck->test = {"CMD", "/bin/sh", "-c", "exit 1"};
  config.config.healthcheck->retries = 1000;  // a busy machine may ask it often before the program has ended
  RunningContainer container = RunningContainer::start(runner(), box.home, box.request("echo cannot; exit 9"));
  const HealthVerdict verdict = wait_for_health(container, config, 30'000, box.cancel);
  CHECK(verdict.health == Health::exited);
  CHECK(verdict.exit_code == 9);
  CHECK(container.last_output() == "cannot\n");
}

TEST_CASE("an image becomes healthy when its check succeeds") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  oci::ImageConfig config;
  config.config.healthcheck = oci::Healthcheck{};
  config.config.healthcheck->test = {"CMD-SHELL", "grep -q ready /tmp/state && echo fine"};
  RunningContainer container =
      RunningContainer::start(runner(), box.home, box.request("sleep 1; echo ready > /tmp/state; sleep 300"));
  const HealthVerdict verdict = wait_for_health(container, config, 30'000, box.cancel);
  CHECK(verdict.health == Health::healthy);
  CHECK(verdict.checks > 1);
  CHECK(verdict.check_output == "fine\n");
}

TEST_CASE("a check that never succeeds, and an image without one") {
  KILN_NEEDS_CONTAINERS();
  ContainerFixture box;
  oci::ImageConfig config;
  {
    RunningContainer container = RunningContainer::start(runner(), box.home, box.request("exec sleep 300"));
    CHECK(wait_for_health(container, config, 300, box.cancel).health == Health::no_check);
  }
  config.config.healthcheck = oci::Healthcheck{};
  config.config.healthcheck->test = {"CMD", "/bin/sh", "-c", "echo not yet; exit 1"};
  RunningContainer container = RunningContainer::start(runner(), box.home, box.request("exec sleep 300"));
  const HealthVerdict verdict = wait_for_health(container, config, 5'000, box.cancel);
  CHECK(verdict.health == Health::unhealthy);
  CHECK(verdict.check_output == "not yet\n");
}
