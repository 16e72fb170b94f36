#include "builder/report/build_trace.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "sample_report.hpp"

using namespace kiln;

namespace {

const TraceSpan& span_named(const BuildTrace& trace, const std::string& name) {
  const auto found = std::find_if(trace.spans().begin(), trace.spans().end(),
                                  [&](const TraceSpan& span) { return span.name == name; });
  REQUIRE(found != trace.spans().end());
  return *found;
}

std::string text_of(const TraceSpan& span, const std::string& name) {
  for (const auto& [key, value] : span.attributes) {
    if (key == name && std::holds_alternative<std::string>(value)) return std::get<std::string>(value);
  }
  return "";
}

}  // namespace

TEST_CASE("a build is a span, its targets are in it, and their steps in them") {
  BuildTrace trace("kiln bake", std::nullopt);
  trace.step_started(test::view(1, "hub", "hub/Dockerfile", 3, "RUN make"));
  trace.step_missed(1);
  trace.step_finished(1, test::result(StepOutcome::built, "k1", 1, 20, "'a' changed"));
  trace.step_started(test::view(2, "", "", 0, "push 4f2a"));
  trace.step_progress(2, 512);
  trace.task_finished(2, "");
  trace.finish(std::nullopt);

  const TraceSpan& build = trace.spans().front();
  CHECK(build.name == "kiln bake");
  CHECK(build.parent_id.empty());
  const TraceSpan& target = span_named(trace, "hub");
  CHECK(target.parent_id == build.id);
  const TraceSpan& step = span_named(trace, "RUN make");
  CHECK(step.parent_id == target.id);
  CHECK(step.start <= step.end);
  CHECK(step.end <= target.end);
  CHECK(target.end <= build.end);
  CHECK(text_of(step, "kiln.outcome") == "built");
  CHECK(text_of(step, "kiln.miss.reason") == "'a' changed");
  CHECK(text_of(step, "code.file.path") == "hub/Dockerfile");
  CHECK(span_named(trace, "push 4f2a").parent_id == build.id);
}

TEST_CASE("what a stage waits for is a span of its target") {
  BuildTrace trace("kiln bake", std::nullopt);
  const StageView hub{"hub", "stage-0", "linux/amd64"}, base{"base", "stage-0", "linux/amd64"};
  trace.stage_waits(hub, base);
  trace.stage_goes_on(hub);
  trace.finish(std::nullopt);
  const TraceSpan& wait = span_named(trace, "wait for base");
  CHECK(wait.parent_id == span_named(trace, "hub").id);
  CHECK(text_of(wait, "kiln.waits_for.target") == "base");
}

TEST_CASE("an error marks the step, its target and the build") {
  BuildTrace trace("kiln build", std::nullopt);
  trace.step_started(test::view(1, "hub", "Dockerfile", 3, "RUN false"));
  trace.step_finished(1, test::result(StepOutcome::failed, "k", 1, 0, "'false' ended with exit code 1"));
  trace.step_started(test::view(2, "web", "Dockerfile", 3, "RUN sleep 9"));
  trace.finish("'false' ended with exit code 1");
  CHECK(span_named(trace, "RUN false").error == "'false' ended with exit code 1");
  CHECK(span_named(trace, "hub").error == "'false' ended with exit code 1");
  CHECK(trace.spans().front().error == "'false' ended with exit code 1");
  CHECK_FALSE(span_named(trace, "web").error);
  CHECK(text_of(span_named(trace, "RUN sleep 9"), "kiln.outcome") == "stopped");
}

TEST_CASE("no span tells what a command printed, a value of an ARG or a URL's credentials") {
  BuildTrace trace("kiln build", std::nullopt);
  trace.step_started(test::view(1, "", "Dockerfile", 3, "ADD https://user:hunter2@acme.test/x /"));
  trace.step_finished(1,
                      test::result(StepOutcome::failed, "k", 1, 0, "it ended with exit code 1\n  | hunter2 printed\n"));
  trace.step_started(test::view(2, "", "Dockerfile", 4, "RUN b"));
  StepResult changed = test::result(StepOutcome::built, "k", 1, 0, "ARG PIN changed from 'hunter2' to 'hunter3'");
  changed.differences.push_back({"ARG PIN", InputDifference::Change::changed, "hunter2", "hunter3", {}});
  trace.step_finished(2, changed);
  trace.finish("it ended\n  | hunter2 printed");
  for (const TraceSpan& span : trace.spans()) {
    CHECK(span.name.find("hunter") == std::string::npos);
    CHECK(span.error.value_or("").find("hunter") == std::string::npos);
    for (const auto& [name, value] : span.attributes) {
      if (const auto* text = std::get_if<std::string>(&value)) CHECK(text->find("hunter") == std::string::npos);
    }
  }
  CHECK(text_of(span_named(trace, "RUN b"), "kiln.miss.reason") == "ARG PIN changed");
}

TEST_CASE("a trace goes on one that the caller began") {
  const auto parent = parse_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  REQUIRE(parent);
  BuildTrace trace("kiln bake", parent);
  trace.finish(std::nullopt);
  CHECK(trace.trace_id() == "4bf92f3577b34da6a3ce929d0e0e4736");
  CHECK(trace.spans().front().parent_id == "00f067aa0ba902b7");
  for (const char* text : {"", "00-4bf9-00f067aa0ba902b7-01", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                           "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                           "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_traceparent(text));
  }
}
