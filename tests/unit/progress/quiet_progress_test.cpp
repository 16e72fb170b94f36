#include "builder/cli/progress/quiet_progress.hpp"

#include <doctest/doctest.h>

#include "display_test.hpp"

using namespace kiln;
using namespace kiln::test;

TEST_CASE("quiet progress says nothing but what failed") {
  Stage stage;
  {
    QuietProgress progress(stage.fd.get(), LogFolds(LogFolds::Service::none));
    progress.info("i");
    progress.warn("w");
    progress.debug("d");
    progress.step_started(step(1, "hub", "builder", 1, 2, "RUN true"));
    progress.step_output(1, "noise\n");
    progress.step_progress(1, "layer", 1, 2);
    progress.step_finished(1, built(1, "no record"));
    progress.step_started(step(2, "hub", "builder", 2, 2, "RUN exit 7"));
    progress.step_finished(2, failed("exit code 7"));
    progress.step_started(step(3, "hub", "", 0, 0, "push"));
    progress.task_finished(3, "cannot reach\x1b 'ghcr.io'");
    progress.step_started(step(4, "hub", "", 0, 0, "push"));
    progress.task_finished(4, "");
    progress.step_started(step(5, "hub", "builder", 3, 3, "RUN sleep 9"));
    progress.step_finished(5, stopped());
    progress.step_started(step(6, "hub", "", 0, 0, "never ends"));
  }
  CHECK(stage.written() ==
        "ERROR: [hub builder 2/2] RUN exit 7: exit code 7\nERROR: [hub] push: cannot reach\\x1b 'ghcr.io'\n");
}

TEST_CASE("a CI service takes no order from what quiet progress repeats") {
  Stage stage;
  {
    QuietProgress progress(stage.fd.get(), LogFolds(LogFolds::Service::github));
    progress.step_started(step(1, "hub", "builder", 1, 2, "RUN ##[group]x"));
    progress.step_finished(1, failed("##[error]y"));
  }
  CHECK(stage.written() == "ERROR: [hub builder 1/2] RUN # #[group]x: # #[error]y\n");
}
