#include "base/timed_command.hpp"

#include <doctest/doctest.h>
#include <signal.h>

#include "tests/support/check_error.hpp"

using namespace kiln;

namespace {

Command shell(const char* script) {
  Command command;
  command.argv = {"sh", "-c", script};
  return command;
}

}  // namespace

TEST_CASE("a program that ends in time gives its result, and one that does not is ended") {
  const auto result = run_command_within(1000, shell("echo out; exit 3"), CancelToken());
  REQUIRE(result);
  CHECK(result->exit_code == 3);
  CHECK(result->stdout_bytes == "out\n");
  CHECK_FALSE(run_command_within(0.1, shell("sleep 1000"), CancelToken()));
}

TEST_CASE("what stops the caller is no end of time") {
  CancelToken cancel;
  cancel.cancel(SIGTERM);
  CHECK_ERROR(run_command_within(1000, shell("sleep 1000"), cancel), Category::cancelled, doctest::Contains("stopped"));
}
